package org.powerattention.examples.benchmarks;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.Form;

/** Times calls by the kernels of older GPUs on a newer one. */
final class Families {
  private static final String PROPERTY = "powerattention.family";
  private static final String OLDER = "sm_80";

  private static final List<Case> FORWARD =
      List.of(
          new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 16_384, 8),
          new Case(Operator.POWER_2_DIM_64, Form.ATTENTION, 4, 4096, 8),
          new Case(Operator.POWER_2_DIM_128, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_2_DIM_32, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_1_DIM_64, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_1_DIM_128, Form.CHUNKED, 1, 65_536, 8));

  private static final List<Case> TRAINING =
      List.of(
          new Case(Operator.POWER_2_DIM_64, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_2_DIM_128, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_2_DIM_32, Form.CHUNKED, 1, 65_536, 8),
          new Case(Operator.POWER_1_DIM_64, Form.CHUNKED, 1, 65_536, 8));

  private final Accelerator device;
  private final GpuClock clock;

  private Families(Accelerator device, GpuClock clock) {
    this.device = device;
    this.clock = clock;
  }

  /** Measures each case by both families, if this GPU runs a newer one than the oldest. */
  static void measure(Accelerator device, GpuClock clock, Consumer<FamilyRow> rows)
      throws Exception {
    if (!device.name().endsWith("sm_90)")) {
      System.out.println("No older kernels: " + device.name() + " runs " + OLDER + " alone.");
      return;
    }
    System.out.println(FamilyRow.header());
    Families families = new Families(device, clock);
    Map<Operator, Operator.Loaded> newest = families.load(System.getProperty(PROPERTY));
    Map<Operator, Operator.Loaded> older = families.load(OLDER);
    try {
      for (Case timed : FORWARD) {
        rows.accept(
            FamilyRow.of(
                "forward",
                timed,
                OLDER,
                families.forward(timed, older),
                families.forward(timed, newest)));
      }
      for (Case timed : TRAINING) {
        rows.accept(
            FamilyRow.of(
                "forward+backward",
                timed,
                OLDER,
                families.training(timed, older),
                families.training(timed, newest)));
      }
    } finally {
      newest.values().forEach(Operator.Loaded::close);
      older.values().forEach(Operator.Loaded::close);
    }
  }

  private double forward(Case timed, Map<Operator, Operator.Loaded> operators) {
    return Timer.forward(device, timed, operators.get(timed.operator())).milliseconds();
  }

  private double training(Case timed, Map<Operator, Operator.Loaded> operators) {
    return Training.of(device, clock, timed, operators.get(timed.operator())).forwardBackward();
  }

  /** Loads the operators with the kernels of up to a family, or all; a part is loaded once. */
  private Map<Operator, Operator.Loaded> load(@Nullable String family) throws Exception {
    String before = System.getProperty(PROPERTY);
    set(family);
    try {
      return Operator.load(device, operators(FORWARD), operators(TRAINING));
    } finally {
      set(before);
    }
  }

  private static Set<Operator> operators(List<Case> cases) {
    return cases.stream().map(Case::operator).collect(Collectors.toSet());
  }

  private static void set(@Nullable String family) {
    if (family == null) {
      System.clearProperty(PROPERTY);
    } else {
      System.setProperty(PROPERTY, family);
    }
  }
}
