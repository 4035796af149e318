package org.powerattention.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.KernelSpec;

/**
 * The checks of a call's states, made before anything is allocated or launched. Each failure is an
 * {@link IllegalArgumentException} that says what was given and what is allowed.
 */
final class StateChecks {
  private final ArgumentChecks checks;
  private final KernelSpec spec;

  StateChecks(ArgumentChecks checks, KernelSpec spec) {
    this.checks = checks;
    this.spec = spec;
  }

  /**
   * Checks a state whose sums a call uses. They are the same for every dtype and chunk, gated or
   * not.
   */
  void sums(String name, @Nullable State state, CallSizes sizes) {
    if (state == null) {
      return;
    }
    checks.sameAccelerator(name, state.accelerator());
    state.checkFoldable(name);
    KernelSpec other = state.spec();
    if (other.degree() != spec.degree()
        || other.headDim() != spec.headDim()
        || other.normalized() != spec.normalized()
        || state.batch() != sizes.batch()
        || state.keyHeads() != sizes.keyHeads()) {
      throw new IllegalArgumentException(
          name
              + " of "
              + describe(other, state.batch(), state.keyHeads())
              + "; needed: "
              + describe(spec, sizes.batch(), sizes.keyHeads())
              + ", from this operator's newState");
    }
  }

  /** Checks a state that holds, or will hold, a gradient. */
  void gradient(String name, @Nullable State state, CallSizes sizes) {
    sums(name, state, sizes);
    if (state != null && state.holdsWindow()) {
      throw new IllegalArgumentException(
          name
              + " has been used for prefill or decode, so it is no gradient of a state; give one"
              + " from newState, or reset() it");
    }
  }

  /** Checks the state of a prefill or decode call. */
  void serving(State state, CallSizes sizes) {
    Objects.requireNonNull(state, "state");
    checks.sameAccelerator("state", state.accelerator());
    state.checkOpen();
    String difference = difference(state.spec(), spec);
    if (!difference.isEmpty()) {
      throw new IllegalArgumentException(
          "state of another operator: "
              + difference
              + "; give one from this operator's newState or loadState");
    }
    if (state.batch() != sizes.batch() || state.keyHeads() != sizes.keyHeads()) {
      throw new IllegalArgumentException(
          "state of batch "
              + state.batch()
              + ", key/value heads "
              + state.keyHeads()
              + "; needed: batch "
              + sizes.batch()
              + ", key/value heads "
              + sizes.keyHeads());
    }
  }

  /**
   * Returns in what a state's spec differs from an operator's, as far as it matters to prefill and
   * decode, or an empty string. The chunk matters only through the window.
   */
  static String difference(KernelSpec given, KernelSpec needed) {
    List<String> differences = new ArrayList<>();
    compare(differences, "degree", given.degree(), needed.degree());
    compare(differences, "headDim", given.headDim(), needed.headDim());
    compare(differences, "dtype", given.dtype(), needed.dtype());
    compare(differences, "gated", given.gated(), needed.gated());
    compare(differences, "normalized", given.normalized(), needed.normalized());
    compare(differences, "windowTokens", given.windowTokens(), needed.windowTokens());
    return String.join(", ", differences);
  }

  private static void compare(List<String> differences, String name, Object given, Object needed) {
    if (!given.equals(needed)) {
      differences.add("its " + name + " is " + given + ", the operator's " + needed);
    }
  }

  private static String describe(KernelSpec spec, int batch, int keyHeads) {
    return "degree "
        + spec.degree()
        + ", headDim "
        + spec.headDim()
        + (spec.normalized() ? ", normalized" : ", not normalized")
        + ", batch "
        + batch
        + ", key/value heads "
        + keyHeads;
  }
}
