package org.powerattention.processor.write;

import java.util.SortedSet;
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
   * @param columns numbers of columns of sums that are added to
   * @param begun those of sums that begin
   */
  static String of(SortedSet<Integer> columns, SortedSet<Integer> begun) {
    return """
    // Products of 64 rows by a warpgroup. Lane l of warp w holds rows 16 w + l / 4 and 8 further, and
    // of every 8 columns the two from 2 (l %% 4) on: four of `sums`, in the order of mma_16's; and `a`
    // likewise. b lies in shared memory: see summed_rows and summed_columns.
    %s%s\
    """
        .formatted(
            columns.stream().map(n -> product(n, false)).collect(Collectors.joining()),
            begun.stream().map(n -> product(n, true)).collect(Collectors.joining()));
  }

  private static String product(int columns, boolean begins) {
    int sums = columns / 2;
    return """

    // sums [64 x %1$d] %2$s a [64 x 16] b [16 x %1$d]
    template <bool kSummedRows>
    __device__ __forceinline__ void %3$s_group(
        float (&sums)[%4$d], const uint32 (&a)[4], uint64 b) {
      asm volatile(
          "{\\n.reg .pred add;\\nsetp.ne.b32 add, %5$d, 0;\\n"
          "wgmma.mma_async.sync.aligned.m64n%1$dk16.f32.bf16.bf16 "
    %6$s
          "{%%%4$d, %%%7$d, %%%8$d, %%%9$d}, %%%10$d, add, 1, 1, %%%11$d;\\n}\\n"
          : %12$s
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"((int)kSummedRows));
    }
    """
        .formatted(
            columns,
            begins ? "=" : "+=",
            begins ? "begin" : "multiply",
            sums,
            begins ? 0 : 1,
            registers(sums),
            sums + 1,
            sums + 2,
            sums + 3,
            sums + 4,
            sums + 5,
            operands(sums, begins ? "=f" : "+f"));
  }

  private static String registers(int sums) {
    String all =
        IntStream.range(0, sums)
            .mapToObj(i -> "%" + i)
            .collect(Collectors.joining(", ", "{", "}, "));
    return wrap(all, "      \"", "\"\n      \"", LINE - 8) + "\"";
  }

  private static String operands(int sums, String constraint) {
    String all =
        IntStream.range(0, sums)
            .mapToObj(i -> "\"" + constraint + "\"(sums[" + i + "])")
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
