package org.powerattention.runtime;

import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.StateView;

/**
 * What the chunked form remembers of the tokens so far, of a size that does not depend on their
 * number: {@code S = sum_j exp(G - G_j) phi(k_j) v_j^T} and, if the operator is normalised, {@code
 * z = sum_j exp(G - G_j) phi(k_j)} with G the sum of all log gates so far.
 *
 * <p>All in fp32, with the features in the order of {@link
 * org.powerattention.annotations.FeatureMap} and without their multiplicities. A new state is zero.
 */
public final class State implements AutoCloseable {
  private final KernelSpec spec;
  private final int batch;
  private final int keyHeads;
  private final Tensor sums;
  private final @Nullable Tensor keySums;

  State(KernelSpec spec, int batch, int keyHeads, Tensor sums, @Nullable Tensor keySums) {
    this.spec = spec;
    this.batch = batch;
    this.keyHeads = keyHeads;
    this.sums = sums;
    this.keySums = keySums;
  }

  /** Returns the spec of the operator that made it. */
  public KernelSpec spec() {
    return spec;
  }

  /** Returns the number of sequences b. */
  public int batch() {
    return batch;
  }

  /** Returns the number of key/value heads h. */
  public int keyHeads() {
    return keyHeads;
  }

  /** Returns S [b, h, D, d], fp32. It lives as long as this state. */
  public Tensor sums() {
    return sums;
  }

  /** Returns z [b, h, D], fp32; empty if the operator is not normalised. */
  public Optional<Tensor> keySums() {
    return Optional.ofNullable(keySums);
  }

  /** Returns the bytes of device memory that it takes. */
  public long bytes() {
    return (long) batch * keyHeads * spec.stateBytes();
  }

  /** Forgets every token: sets all numbers to zero. */
  public void reset() {
    sums.memory().clear();
    if (keySums != null) {
      keySums.memory().clear();
    }
  }

  /** Frees the memory. */
  @Override
  public void close() {
    sums.close();
    if (keySums != null) {
      keySums.close();
    }
  }

  StateView view() {
    return new StateView(sums.memory(), keySums == null ? null : keySums.memory(), null);
  }
}
