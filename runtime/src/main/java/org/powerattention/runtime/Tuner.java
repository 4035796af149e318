package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.CallChoice;
import org.powerattention.runtime.spi.CallShape;
import org.powerattention.runtime.spi.Log;

/** Measures how calls of a shape are fastest, once, and has them carried out so. */
final class Tuner {
  /** System property by which the first forward call of a shape measures it; false by default. */
  static final String PROPERTY = "powerattention.tune";

  /** System property for the most seconds that one shape takes, but for the call under way. */
  static final String SECONDS_PROPERTY = "powerattention.tune.seconds";

  private static final double DEFAULT_SECONDS = 2;

  /** Shorter calls take little time in any way, and come in many lengths. */
  private static final int LEAST_TOKENS = 1024;

  /** The attention form takes times as long beyond so many times its crossover. */
  private static final int MOST_CROSSOVERS = 8;

  /** What another way has to win, so that noise does not choose. */
  private static final double MARGIN = 0.98;

  /** Time for the calls of one choice, and most of these calls. */
  private static final double CHOICE_SECONDS = 0.03;

  private static final int MOST_CALLS = 50;

  /** Random numbers, which repeat. */
  private static final int PATTERN_NUMBERS = (1 << 18) + 8;

  private final PowerAttentionOperator operator;
  private final KernelSpec spec;
  private final boolean lazily;
  private final Duration limit;
  private final LongSupplier clock;
  private final Map<CallShape, Tuning> tunings = new ConcurrentHashMap<>();

  /**
   * Creates one that has measured nothing.
   *
   * @param lazily whether calls that leave their form open have their shape measured
   * @param limit most time that a shape takes, but for the call under way
   * @param clock gives nanoseconds
   */
  Tuner(PowerAttentionOperator operator, boolean lazily, Duration limit, LongSupplier clock) {
    this.operator = operator;
    this.spec = operator.spec();
    this.lazily = lazily;
    this.limit = limit;
    this.clock = clock;
  }

  /**
   * Returns the limit that the system property sets.
   *
   * @throws IllegalArgumentException if that is no number of seconds above 0
   */
  static Duration limit(@Nullable String seconds) {
    try {
      double parsed = seconds == null ? DEFAULT_SECONDS : Double.parseDouble(seconds);
      if (parsed > 0 && parsed <= Integer.MAX_VALUE) {
        return Duration.ofMillis((long) Math.ceil(parsed * 1000));
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new IllegalArgumentException(
        "-D" + SECONDS_PROPERTY + "=" + seconds + "; allowed: a number of seconds above 0");
  }

  /** Returns whether a call takes the chunked form. */
  boolean chunked(Form form, CallSizes sizes) {
    return switch (form) {
      case ATTENTION -> false;
      case CHUNKED -> true;
      case AUTOMATIC -> {
        // Hashing a record for the first time takes a program's start some milliseconds.
        boolean none = sizes.packed() != null || tunings.isEmpty();
        Tuning tuning = none ? null : tunings.get(sizes.shape());
        yield tuning == null
            ? sizes.tokens() >= spec.crossoverTokens()
            : tuning.form() == Form.CHUNKED;
      }
    };
  }

  /** Measures the shape of a call that leaves its form open, if that is asked for. */
  void beforeCall(Form form, CallSizes sizes) {
    if (!lazily
        || form != Form.AUTOMATIC
        || sizes.packed() != null
        || sizes.tokens() < LEAST_TOKENS) {
      return;
    }
    CallShape shape = sizes.shape();
    if (!tunings.containsKey(shape)) {
      Tuning unused = tune(shape);
    }
  }

  /** Returns how a shape is fastest, measuring it unless it has been. */
  Tuning tune(CallShape shape) {
    return tunings.computeIfAbsent(
        shape,
        fresh -> {
          Tuning tuning = decode(operator.program().measured(fresh, () -> encode(measure(fresh))));
          choose(fresh, tuning.form() == Form.CHUNKED, tuning.chunksPerSegment());
          return tuning;
        });
  }

  private void choose(CallShape shape, boolean chunked, long chunksPerSegment) {
    operator.program().choose(shape, new CallChoice(chunked, chunksPerSegment));
  }

  private static String encode(Tuning tuning) {
    return String.format(
        Locale.ROOT,
        "%s %d %s %s",
        tuning.form(),
        tuning.chunksPerSegment(),
        tuning.milliseconds(),
        tuning.untunedMilliseconds());
  }

  private static Tuning decode(String text) {
    String[] parts = text.split(" ", -1);
    return new Tuning(
        Form.valueOf(parts[0]),
        Long.parseLong(parts[1]),
        Double.parseDouble(parts[2]),
        Double.parseDouble(parts[3]));
  }

  private Tuning measure(CallShape shape) {
    long start = clock.getAsLong();
    long end = start + limit.toNanos();
    boolean chunkedByDefault = shape.tokens() >= spec.crossoverTokens();
    List<CallChoice> choices = new ArrayList<>();
    choices.add(new CallChoice(chunkedByDefault, 0));
    if (chunkedByDefault) {
      choices.addAll(operator.program().choices(shape));
      if (shape.tokens() / MOST_CROSSOVERS <= spec.crossoverTokens()) {
        choices.add(new CallChoice(false, 0));
      }
    } else {
      choices.add(new CallChoice(true, 0));
      choices.addAll(operator.program().choices(shape));
    }
    Log.get()
        .log(
            System.Logger.Level.INFO,
            "Measuring up to {0} ways to run {1} on {2} for batch {3}, {4} tokens, {5} query heads,"
                + " {6} key/value heads; at most {7} s",
            choices.size(),
            spec,
            operator.accelerator().name(),
            shape.batch(),
            shape.tokens(),
            shape.queryHeads(),
            shape.keyHeads(),
            limit.toMillis() / 1e3);
    CallChoice fastest = choices.get(0);
    double least = Double.POSITIVE_INFINITY;
    double untuned = Double.NaN;
    int tried = 0;
    try (Tensors tensors = new Tensors(shape)) {
      for (CallChoice choice : choices) {
        if (tried > 0 && clock.getAsLong() >= end) {
          break;
        }
        choose(shape, choice.chunked(), choice.chunksPerSegment());
        double milliseconds = tensors.time(choice.chunked() ? Form.CHUNKED : Form.ATTENTION);
        if (tried++ == 0) {
          untuned = milliseconds;
          least = milliseconds;
        } else if (milliseconds < Math.min(least, untuned * MARGIN)) {
          least = milliseconds;
          fastest = choice;
        }
      }
    } finally {
      choose(shape, chunkedByDefault, 0);
    }
    Tuning tuning =
        new Tuning(
            fastest.chunked() ? Form.CHUNKED : Form.ATTENTION,
            fastest.chunksPerSegment(),
            least,
            untuned);
    Log.get()
        .log(
            System.Logger.Level.INFO,
            "Measured {0} of {1} ways in {2} s: {3} ms in {4} form{5}, by the cost model {6} ms",
            tried,
            choices.size(),
            String.format(Locale.ROOT, "%.2f", (clock.getAsLong() - start) / 1e9),
            String.format(Locale.ROOT, "%.3f", least),
            fastest.chunked() ? "chunked" : "attention",
            fastest.chunksPerSegment() == 0
                ? ""
                : ", " + fastest.chunksPerSegment() + " chunks to a segment",
            String.format(Locale.ROOT, "%.3f", untuned));
    return tuning;
  }

  /** Tensors of a call; numbers are random, since power, hence speed, depends on them. */
  private final class Tensors implements AutoCloseable {
    private final Allocations made = new Allocations();
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final Tensor y;
    private final @Nullable Tensor logG;

    Tensors(CallShape shape) {
      long batch = shape.batch();
      Layout queries = Layout.contiguous(batch, shape.tokens(), shape.queryHeads(), spec.headDim());
      Layout keys = Layout.contiguous(batch, shape.tokens(), shape.keyHeads(), spec.headDim());
      try {
        q = random(queries, spec.dtype());
        k = random(keys, spec.dtype());
        v = random(keys, spec.dtype());
        y = made.add(operator.accelerator().allocateFor(null, spec.dtype(), queries));
        logG =
            spec.gated()
                ? random(Layout.contiguous(batch, shape.tokens(), shape.keyHeads()), DType.FP32)
                : null;
      } catch (RuntimeException e) {
        made.close();
        throw e;
      }
    }

    /** Numbers between -0.01 and 0, which do as gates, or of q, k and v between -1 and 1. */
    private Tensor random(Layout layout, DType dtype) {
      Tensor tensor = made.add(operator.accelerator().allocateFor(null, dtype, layout));
      long bytes = layout.elements() * dtype.bytes();
      float[] numbers = new float[(int) Math.min(layout.elements(), PATTERN_NUMBERS)];
      Random random = new Random(bytes);
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = layout.rank() == 3 ? -0.01f * random.nextFloat() : 2 * random.nextFloat() - 1;
      }
      ByteBuffer pattern =
          ByteBuffer.allocateDirect(numbers.length * dtype.bytes()).order(ByteOrder.nativeOrder());
      try (Tensor drawn = operator.accelerator().tensor(dtype, numbers, numbers.length)) {
        drawn.copyTo(pattern);
      }
      pattern.clear();
      for (long at = 0; at < bytes; at += pattern.capacity()) {
        ByteBuffer part = pattern.duplicate().order(ByteOrder.nativeOrder());
        part.limit((int) Math.min(pattern.capacity(), bytes - at));
        tensor.memory().write(at, part);
      }
      return tensor;
    }

    /** Returns the least milliseconds of a call, of those that fit the time of a choice. */
    double time(Form form) {
      call(form); // warm-up, and the first use of what it needs
      double least = Double.POSITIVE_INFINITY;
      long end = clock.getAsLong() + (long) (CHOICE_SECONDS * 1e9);
      for (int i = 0; i < MOST_CALLS && (i < 2 || clock.getAsLong() < end); i++) {
        least = Math.min(least, call(form));
      }
      return least;
    }

    private double call(Form form) {
      operator.accelerator().synchronize();
      long start = clock.getAsLong();
      operator.forwardInto(y, q, k, v, logG, ForwardOptions.defaults().form(form));
      operator.accelerator().synchronize();
      return (clock.getAsLong() - start) / 1e6;
    }

    @Override
    public void close() {
      made.close();
    }
  }
}
