package org.powerattention.runtime;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.annotations.PowerAttention;

/**
 * A program that compares the declarations that a model could have, and recommends one:
 *
 * <pre>{@code
 * java -cp <class path> org.powerattention.runtime.Calculator \
 *     --parameters 124e6 --layers 12 --heads 12 --context 65536
 * }</pre>
 *
 * <p>A token costs a model 2 FLOPs for each parameter, and those that read and write the state. The
 * recommended declaration is the one for which the two are closest to each other (arXiv 2507.04239,
 * section 2), among those whose state is smaller than softmax attention's keys and values. {@code
 * --key-heads} (default: as many as heads) and {@code --head-dim} (default: each of 32, 64 and 128)
 * are optional.
 */
public final class Calculator {
  private static final List<Integer> HEAD_DIMS = List.of(32, 64, 128);
  private static final String USAGE =
      "usage: --parameters N --layers N --heads N --context N [--key-heads N] [--head-dim N]";

  /** The options, and the greatest number that each takes: far above any model, below overflow. */
  private static final Map<String, Double> GREATEST =
      Map.of(
          "parameters", 1e15,
          "layers", 1e5,
          "heads", 1e5,
          "key-heads", 1e5,
          "head-dim", 1e5,
          "context", 1e12);

  /**
   * What the choice depends on.
   *
   * @param parameters of the model
   * @param layers with attention
   * @param heads query heads of a layer
   * @param keyHeads key/value heads of a layer
   * @param context tokens of a sequence
   */
  record Model(double parameters, int layers, int heads, int keyHeads, long context) {
    /** Returns the FLOPs per token that go into products with parameters. */
    double weightFlops() {
      return 2 * parameters;
    }

    /** Returns the FLOPs per token of attention, in the form that takes fewer. */
    double stateFlops(KernelSpec spec) {
      return (double) layers
          * heads
          * Math.min(spec.chunkedFlopsPerToken(), spec.attentionFlopsPerToken(context));
    }

    /** Returns the bytes of a sequence's states, in fp32. */
    double stateBytes(KernelSpec spec) {
      return (double) layers * keyHeads * spec.stateBytes();
    }

    /** Returns the bytes of a sequence's keys and values in 16 bits, for softmax attention. */
    double cacheBytes(int headDim) {
      return 4.0 * layers * keyHeads * headDim * context;
    }

    /** Returns the declaration that is closest to balance; empty if no state is worth its size. */
    Optional<KernelSpec> recommend(List<KernelSpec> specs) {
      return specs.stream()
          .filter(spec -> context >= spec.crossoverTokens())
          .filter(spec -> stateBytes(spec) < cacheBytes(spec.headDim()))
          .min(
              Comparator.comparingDouble(
                  spec -> Math.abs(Math.log(stateFlops(spec) / weightFlops()))));
    }
  }

  private Calculator() {}

  /** Runs it. */
  public static void main(String[] arguments) {
    System.exit(run(arguments, System.out, System.err));
  }

  /** Prints the comparison and returns the exit status: 0, or 1 if something is wrong with them. */
  static int run(String[] arguments, PrintStream out, PrintStream err) {
    if (List.of(arguments).contains("--help")) {
      out.println(USAGE);
      return 0;
    }
    try {
      Map<String, Double> given = parse(arguments);
      double heads = required(given, "heads");
      Model model =
          new Model(
              required(given, "parameters"),
              (int) required(given, "layers"),
              (int) heads,
              given.getOrDefault("key-heads", heads).intValue(),
              (long) required(given, "context"));
      if (model.heads % model.keyHeads != 0) {
        throw new IllegalArgumentException(
            "key-heads = " + model.keyHeads + "; allowed: divisors of heads = " + model.heads);
      }
      Double headDim = given.get("head-dim");
      print(model, specs(headDim == null ? HEAD_DIMS : List.of(headDim.intValue())), out);
      return 0;
    } catch (IllegalArgumentException e) {
      err.println(e.getMessage());
      err.println(USAGE);
      return 1;
    }
  }

  private static Map<String, Double> parse(String[] arguments) {
    Map<String, Double> given = new HashMap<>();
    for (int i = 0; i < arguments.length; i += 2) {
      String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
      Double greatest = GREATEST.get(name);
      if (greatest == null) {
        throw new IllegalArgumentException(arguments[i] + " is not an option");
      }
      String text = i + 1 < arguments.length ? arguments[i + 1] : "";
      double value = number(text);
      if (!(value >= 1 && value <= greatest && value == Math.rint(value))) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "--%s = %s; allowed: whole numbers from 1 to %.0e, also as 124e6",
                name,
                text.isEmpty() ? "nothing" : text,
                greatest));
      }
      if (given.put(name, value) != null) {
        throw new IllegalArgumentException("--" + name + " is given twice");
      }
    }
    return given;
  }

  private static double number(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  private static double required(Map<String, Double> given, String name) {
    Double value = given.get(name);
    if (value == null) {
      throw new IllegalArgumentException("--" + name + " is missing");
    }
    return value;
  }

  /** Returns the declarations with these head sizes whose state is not refused. */
  static List<KernelSpec> specs(List<Integer> headDims) {
    List<KernelSpec> specs = new ArrayList<>();
    for (int headDim : headDims) {
      for (int degree = KernelSpec.MIN_DEGREE; degree <= KernelSpec.MAX_DEGREE; degree++) {
        boolean normalized = degree % 2 == 0;
        if (KernelSpec.stateBytes(degree, headDim, normalized) <= KernelSpec.MAX_STATE_BYTES) {
          specs.add(
              KernelSpec.of(
                  degree, headDim, PowerAttention.AUTOMATIC, DType.BF16, true, normalized));
        }
      }
    }
    return specs;
  }

  private static void print(Model model, List<KernelSpec> specs, PrintStream out) {
    out.printf(
        Locale.ROOT,
        "%,.0f parameters: %,.1f MFLOP per token, forward. Per sequence of %,d tokens:%n%n",
        model.parameters,
        model.weightFlops() / 1e6,
        model.context);
    out.println(
        "degree  headDim           D   chunk        state  softmax's cache  state MFLOP  weights"
            + " : state  chunked from");
    for (KernelSpec spec : specs) {
      out.printf(
          Locale.ROOT,
          "%6d  %7d  %,10d  %,6d  %,7.1f MiB  %,11.1f MiB  %,11.1f  %7.3g : 1     %,12d%n",
          spec.degree(),
          spec.headDim(),
          spec.featureDim(),
          spec.chunk(),
          mib(model.stateBytes(spec)),
          mib(model.cacheBytes(spec.headDim())),
          model.stateFlops(spec) / 1e6,
          model.weightFlops() / model.stateFlops(spec),
          spec.crossoverTokens());
    }
    out.println();
    Optional<KernelSpec> best = model.recommend(specs);
    if (best.isEmpty()) {
      out.println(
          "At this context every state takes more than keys and values do; power attention pays"
              + " from the length on that stands under \"chunked from\", if the state is smaller,"
              + " too.");
    } else {
      KernelSpec spec = best.get();
      out.printf(
          "Closest to balance: @PowerAttention(degree = %d, headDim = %d%s)%n",
          spec.degree(), spec.headDim(), spec.normalized() ? "" : ", normalized = false");
    }
  }

  private static double mib(double bytes) {
    return bytes / (1 << 20);
  }
}
