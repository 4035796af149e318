package org.powerattention.runtime.cuda;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.SavedView;

/**
 * How a forward call is cut into thread blocks, and the workspace it needs.
 *
 * @param chunk tokens per chunk: the spec's, or all of them in attention form
 * @param chunks chunks of a sequence; of packed sequences, those of the longest
 * @param allTokens tokens of all sequences
 * @param allChunks places for the snapshots of one head; a packed sequence takes one for each whole
 *     chunk that precedes it among all tokens and one more for each sequence
 * @param segments parts of a sequence that the state pass walks at the same time
 * @param chunksPerSegment chunks of each but the last
 * @param statePass whether there is a state to compute: to read it in later chunks, or to return it
 * @param readsState whether outputs read a state
 * @param outputs whether outputs are computed
 * @param gateSumBytes bytes of the cumulative log gates
 * @param snapshotBytes bytes of the states at the chunks' starts, unless they are kept
 * @param segmentBytes bytes of the segments' own states
 * @param jointNumbers numbers that the first rows read from the caller's initial state
 * @param jointParts thread blocks that share the features of a head's joint
 */
record ForwardPlan(
    long chunk,
    long chunks,
    long allTokens,
    long allChunks,
    long segments,
    long chunksPerSegment,
    boolean statePass,
    boolean readsState,
    boolean outputs,
    long gateSumBytes,
    long snapshotBytes,
    long segmentBytes,
    long jointNumbers,
    long jointParts) {
  private static final long ALIGNMENT = 256;

  static ForwardPlan of(ForwardProblem problem, ForwardTiling tiling, int multiprocessors) {
    return of(problem, tiling, multiprocessors, 0);
  }

  /**
   * Plans a call.
   *
   * @param chosen chunks of each segment, or 0 for as many as the cost model takes
   */
  static ForwardPlan of(
      ForwardProblem problem, ForwardTiling tiling, int multiprocessors, long chosen) {
    KernelSpec spec = problem.spec();
    long heads = (long) problem.batch() * problem.keyHeads();
    boolean readsState = problem.chunked() || problem.initialState() != null;
    SavedView saved = problem.saved();
    boolean keepsStates = saved != null && saved.states() != null;
    boolean statePass = readsState || keepsStates || problem.finalState() != null;
    Chunks cut =
        Chunks.of(spec, problem.chunked(), problem.batch(), problem.tokens(), problem.packed());
    long chunks = cut.count();
    long perSegment = chunks;
    if (statePass && chosen > 0) {
      perSegment = Math.min(chosen, chunks);
    } else if (statePass) {
      long blocks = heads * divideUp(spec.featureDim(), tiling.stateFeatures());
      perSegment = WalkCosts.of(tiling).fastestSegment(blocks, chunks, multiprocessors);
    }
    long segments = divideUp(chunks, perSegment);
    long queryHeads = (long) problem.batch() * problem.queryHeads();
    int rowNumbers = spec.headDim() + (spec.normalized() ? 1 : 0);
    return new ForwardPlan(
        cut.length(),
        chunks,
        cut.allTokens(),
        cut.places(),
        segments,
        perSegment,
        statePass,
        readsState,
        problem.y() != null || saved != null && saved.outputs() != null,
        spec.gated() ? problem.keyHeads() * cut.allTokens() * Double.BYTES : 0,
        readsState && !keepsStates ? problem.keyHeads() * cut.places() * tiling.snapshotBytes() : 0,
        segments > 1 ? heads * segments * spec.stateBytes() : 0,
        problem.initialState() != null ? queryHeads * (Joints.TOKENS * rowNumbers + 1) : 0,
        Joints.parts(spec, queryHeads));
  }

  long gateSumOffset() {
    return 0;
  }

  long snapshotOffset() {
    return align(gateSumBytes);
  }

  long segmentOffset() {
    return snapshotOffset() + align(snapshotBytes);
  }

  long partialsOffset() {
    return segmentOffset() + align(segmentBytes);
  }

  long totalsOffset() {
    return partialsOffset() + align(jointParts * jointNumbers * Double.BYTES);
  }

  /** Returns the bytes of the whole workspace. */
  long workspaceBytes() {
    return totalsOffset() + jointNumbers * Float.BYTES;
  }

  static long divideUp(long dividend, long divisor) {
    return (dividend + divisor - 1) / divisor;
  }

  /** Rounds up to where a part of a workspace may begin. */
  static long align(long bytes) {
    return divideUp(bytes, ALIGNMENT) * ALIGNMENT;
  }
}
