package org.powerattention.runtime.cuda;

import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.spi.BackwardProblem;

/**
 * How a backward call is cut into thread blocks, and the workspace it needs.
 *
 * @param chunk tokens per chunk: the spec's, or all of them in attention form
 * @param chunks chunks of a sequence; of packed sequences, those of the longest
 * @param allTokens tokens of all sequences
 * @param allChunks places for the snapshots of one head, as in {@link ForwardPlan}
 * @param segments parts of a sequence that the walks take at the same time
 * @param chunksPerSegment chunks of each but the last
 * @param stateBlocks thread blocks that share the features of a head
 * @param joinWords 16-byte words of a snapshot
 * @param walks whether there is a state, or the gradient of one, to carry from chunk to chunk
 * @param gateSumBytes bytes of the cumulative log gates
 * @param rowBytes bytes of one number for each row and query head
 * @param keyRowBytes bytes of one number for each row and key/value head
 * @param snapshotBytes bytes of the gradients of the states at the chunks' ends
 * @param segmentGradientBytes bytes of the segments' own gradients of states
 * @param productBytes bytes of the products of states and their gradients
 * @param queryJointNumbers numbers that the first rows read from the caller's initial state
 * @param keyJointNumbers numbers that the last tokens read from the gradient of the final state
 * @param jointParts thread blocks that share the features of a head's joint
 */
record GradientPlan(
    long chunk,
    long chunks,
    long allTokens,
    long allChunks,
    long segments,
    long chunksPerSegment,
    long stateBlocks,
    long joinWords,
    boolean walks,
    long gateSumBytes,
    long rowBytes,
    long keyRowBytes,
    long snapshotBytes,
    long segmentGradientBytes,
    long productBytes,
    long queryJointNumbers,
    long keyJointNumbers,
    long jointParts) {
  private static final int WORD_BYTES = 16;
  private static final int WARP = 32;

  static GradientPlan of(BackwardProblem problem, BackwardTiling tiling, int multiprocessors) {
    return of(problem, tiling, multiprocessors, 0);
  }

  /**
   * Plans a call.
   *
   * @param chosen chunks of each segment, or 0 for as many as the cost model takes
   */
  static GradientPlan of(
      BackwardProblem problem, BackwardTiling tiling, int multiprocessors, long chosen) {
    KernelSpec spec = problem.spec();
    Chunks cut =
        Chunks.of(spec, problem.chunked(), problem.batch(), problem.tokens(), problem.packed());
    long chunks = cut.count();
    long stateBlocks = ForwardPlan.divideUp(spec.featureDim(), tiling.stateFeatures());
    boolean walks = chunks > 1 || problem.initialState() != null || problem.dFinalState() != null;
    long heads = (long) problem.batch() * problem.keyHeads();
    long perSegment = chunks;
    if (walks && chosen > 0) {
      perSegment = Math.min(chosen, chunks);
    } else if (walks) {
      perSegment =
          WalkCosts.of(tiling).fastestSegment(heads * stateBlocks, chunks, multiprocessors);
    }
    long segments = ForwardPlan.divideUp(chunks, perSegment);
    long segmentBytes = heads * segments * spec.stateBytes();
    long places = problem.keyHeads() * cut.places();
    long joinWords = tiling.snapshotBytes() / WORD_BYTES;
    long queryHeads = (long) problem.batch() * problem.queryHeads();
    long headJoint = (long) Joints.TOKENS * spec.headDim();
    return new GradientPlan(
        cut.length(),
        chunks,
        cut.allTokens(),
        cut.places(),
        segments,
        perSegment,
        stateBlocks,
        joinWords,
        walks,
        spec.gated() ? problem.keyHeads() * cut.allTokens() * Double.BYTES : 0,
        problem.queryHeads() * cut.allTokens() * Float.BYTES,
        problem.keyHeads() * cut.allTokens() * Float.BYTES,
        walks ? places * tiling.snapshotBytes() : 0,
        segments > 1 || problem.dInitialState() != null ? segmentBytes : 0,
        walks && spec.gated() ? places * ForwardPlan.divideUp(joinWords, WARP) * Float.BYTES : 0,
        problem.initialState() != null ? queryHeads * headJoint : 0,
        problem.dFinalState() != null ? heads * 2 * headJoint : 0,
        Joints.parts(spec, queryHeads));
  }

  long jointNumbers() {
    return queryJointNumbers + keyJointNumbers;
  }
}
