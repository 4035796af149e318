package org.powerattention.processor.write;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Writes the products of a warpgroup, one function for each number of columns: an instruction names
 * every register of its sums.
 */
final class GroupProducts {
  private static final int LINE = 92;

  private GroupProducts() {}

  /**
   * Returns the text of products.
   *
   * @param columns of the sums
   * @param values columns of products that are added to the first of them; 0 for none
   */
  static String of(int columns, int values) {
    return """
    // Products of 64 rows by a warpgroup. Lane l of warp w holds rows 16 w + l / 4 and 8 further, and
    // of every 8 columns the two from 2 (l % 4) on: four of `sums`, in the order of mma_16's; and `a`
    // likewise. b lies in shared memory, its rows summed over.
    """
        + product("multiply_group", columns, columns)
        + (values > 0 ? product("multiply_values", columns, values) : "");
  }

  private static String product(String name, int columns, int added) {
    int sums = added / 2;
    return """

    // sums [64 x %1$d]%2$s += a [64 x 16] b [16 x %3$d]
    __device__ __forceinline__ void %4$s(
        float (&sums)[%5$d], const uint32 (&a)[4], uint64 b) {
      asm volatile(
          "wgmma.mma_async.sync.aligned.m64n%3$dk16.f32.bf16.bf16 "
    %6$s
          "{%%%7$d, %%%8$d, %%%9$d, %%%10$d}, %%%11$d, 1, 1, 1, 1;"
          : %12$s
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
    }
    """
        .formatted(
            columns,
            added < columns ? ", the first %d columns,".formatted(added) : "",
            added,
            name,
            columns / 2,
            registers(sums),
            sums,
            sums + 1,
            sums + 2,
            sums + 3,
            sums + 4,
            operands(sums));
  }

  private static String registers(int sums) {
    String all =
        IntStream.range(0, sums)
            .mapToObj(i -> "%" + i)
            .collect(Collectors.joining(", ", "{", "}, "));
    return wrap(all, "      \"", "\"\n      \"", LINE - 8) + "\"";
  }

  private static String operands(int sums) {
    String all =
        IntStream.range(0, sums)
            .mapToObj(i -> "\"+f\"(sums[" + i + "])")
            .collect(Collectors.joining(", "));
    return wrap(all, "", "\n        ", LINE - 8);
  }

  /** Breaks a list behind its commas. */
  private static String wrap(String list, String first, String between, int width) {
    StringBuilder text = new StringBuilder(first);
    int start = 0;
    while (list.length() - start > width) {
      int end = list.lastIndexOf(", ", start + width - 2) + 2;
      boolean quoted = between.contains("\"");
      text.append(list, start, quoted ? end : end - 1).append(between);
      start = end;
    }
    return text.append(list, start, list.length()).toString();
  }
}
