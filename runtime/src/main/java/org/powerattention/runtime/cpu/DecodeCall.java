package org.powerattention.runtime.cpu;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.DecodeProblem;

/**
 * A decode call with its tensors opened, which can be run for one token after another and then
 * allocates nothing.
 *
 * <p>A head's state is read in parts, whose number depends on the spec alone so that results do not
 * depend on the number of threads. If the head's window is full, each part first takes in its older
 * half. Whoever finishes the last part of a head adds the window and completes the head.
 */
final class DecodeCall implements Crew.Task {
  private final KernelSpec spec;
  private final double scale;
  private final int keyHeads;
  private final int heads;
  private final int group;
  private final int headDim;
  private final int parts;
  private final ElementReader queries;
  private final NewTokens tokens;
  private final ElementWriter outputs;
  private final StoredSums sums;
  private final WindowRing window;

  /** What each part contributes to the rows: {@code [head, part][query, d + 1]}. */
  private final float[][] partial;

  /** Parts of each head that are not finished. */
  private final AtomicIntegerArray open;

  private final Crew crew;
  private final List<ServingWorkspace> workspaces;

  /**
   * @param features rows without a column of ones
   * @param workspaces one for each thread that may take part
   */
  DecodeCall(DecodeProblem problem, FeatureRows features, List<ServingWorkspace> workspaces) {
    this.spec = problem.spec();
    this.scale = problem.scale();
    this.keyHeads = problem.keyHeads();
    this.heads = problem.batch() * keyHeads;
    this.group = problem.queryHeads() / keyHeads;
    this.headDim = spec.headDim();
    this.queries = new ElementReader(problem.q(), headDim);
    this.tokens = new NewTokens(problem.k(), problem.v(), problem.logG(), keyHeads, headDim);
    this.outputs = new ElementWriter(problem.y(), "y", headDim);
    this.sums = new StoredSums(features, problem.state());
    this.parts = sums.parts;
    this.window =
        new WindowRing(Objects.requireNonNull(problem.state().window()), spec.dtype(), headDim);
    this.partial = new float[heads * parts][group * (headDim + 1)];
    this.open = new AtomicIntegerArray(heads);
    this.workspaces = workspaces;
    for (ServingWorkspace workspace : workspaces) {
      workspace.reserve(group);
    }
    this.crew = new Crew(workspaces.size(), heads * parts, this);
  }

  /** Carries out the call. */
  synchronized void run() {
    for (int head = 0; head < heads; head++) {
      open.set(head, parts);
    }
    crew.run();
  }

  @Override
  public void run(int index, int member) {
    ServingWorkspace work = workspaces.get(member);
    int head = index / parts;
    int part = index % parts;
    readQueries(head, work);
    int folded = window.length(head) == window.capacity ? window.capacity / 2 : 0;
    if (folded > 0) {
      float decay = window.readOldest(head, folded, work);
      sums.fold(head, part, decay, folded, work);
    }
    for (int g = 0; g < group; g++) {
      Arrays.fill(work.total[g], 0);
    }
    double left = Math.max(tokens.logGate(head, 0, work), Gates.CLOSED);
    for (int n = window.length(head) - 1; n >= folded; n--) {
      left += window.logGate(head, n);
    }
    if (!(left < Gates.NEGLIGIBLE)) {
      sums.read(head, part, group, work);
      float factor = (float) Math.exp(left);
      for (int g = 0; g < group; g++) {
        Vectors.scale(work.total[g], factor, headDim + 1);
      }
    }
    for (int g = 0; g < group; g++) {
      System.arraycopy(work.total[g], 0, partial[index], g * (headDim + 1), headDim + 1);
    }
    if (open.decrementAndGet(head) == 0) {
      finish(head, folded, work);
    }
  }

  private void readQueries(int head, ServingWorkspace work) {
    for (int g = 0; g < group; g++) {
      float[] query = work.queries[g];
      queries.read(head / keyHeads, 0, head % keyHeads * group + g, query, work.halves);
      double factor = spec.normalized() ? Inputs.balance(query, headDim) : scale;
      for (int c = 0; c < headDim; c++) {
        query[c] = (float) (query[c] * factor);
      }
      query[headDim] = 1;
    }
  }

  /** Adds the window and the new token, writes the rows, and lets the token join the window. */
  private void finish(int head, int folded, ServingWorkspace work) {
    for (int g = 0; g < group; g++) {
      float[] total = work.total[g];
      Arrays.fill(total, 0);
      for (int part = 0; part < parts; part++) {
        float[] source = partial[head * parts + part];
        int at = g * (headDim + 1);
        for (int c = 0; c <= headDim; c++) {
          total[c] += source[at + c];
        }
      }
    }
    window.removeOldest(head, folded);
    float gate = tokens.logGate(head, 0, work);
    double since = Math.max(gate, Gates.CLOSED);
    int end = window.length(head);
    while (end > 0 && !(since < Gates.NEGLIGIBLE)) {
      int count = 0;
      while (count < ServingWorkspace.TOKENS && end > 0 && !(since < Gates.NEGLIGIBLE)) {
        end--;
        window.read(head, end, work.keys[count], work.values[count], work.halves);
        work.factors[count++] = (float) Math.exp(since);
        since += window.logGate(head, end);
      }
      attend(count, work);
    }
    tokens.read(head, 0, work);
    window.append(head, work.keys[0], work.values[0], gate, work.halves);
    work.factors[0] = 1;
    attend(1, work);
    for (int g = 0; g < group; g++) {
      divide(work.total[g]);
      outputs.write(head / keyHeads, 0, head % keyHeads * group + g, work.total[g], work.halves);
    }
  }

  /** Adds the first tokens of the workspace to the totals. */
  private void attend(int count, ServingWorkspace work) {
    int padded = (count + 3) & ~3;
    work.clearTokens(count, padded);
    float[] w = work.weights;
    for (int g = 0; g < group; g++) {
      for (int j = 0; j < padded; j++) {
        w[j] = Vectors.dot(work.queries[g], work.keys[j], headDim);
      }
      Vectors.raise(w, spec.degree(), 0, padded);
      Vectors.multiply(w, work.factors, 0, padded);
      float[][] v = work.values;
      for (int j = 0; j < padded; j += 4) {
        Vectors.add4(
            work.total[g],
            v[j],
            v[j + 1],
            v[j + 2],
            v[j + 3],
            w[j],
            w[j + 1],
            w[j + 2],
            w[j + 3],
            0,
            headDim + 1);
      }
    }
  }

  private void divide(float[] total) {
    float divisor = spec.normalized() ? total[headDim] : 1;
    for (int c = 0; c < headDim; c++) {
      total[c] = divisor == 0 ? 0 : total[c] / divisor;
    }
  }
}
