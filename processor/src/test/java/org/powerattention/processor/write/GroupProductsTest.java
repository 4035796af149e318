package org.powerattention.processor.write;

import static com.google.common.truth.Truth.assertThat;

import org.junit.jupiter.api.Test;

final class GroupProductsTest {
  @Test
  void productsNameEveryRegister() {
    assertThat(GroupProducts.of(24, 8))
        .isEqualTo(
            """
            // Products of 64 rows by a warpgroup. Lane l of warp w holds rows 16 w + l / 4 and 8 further, and
            // of every 8 columns the two from 2 (l % 4) on: four of `sums`, in the order of mma_16's; and `a`
            // likewise. b lies in shared memory, its rows summed over.

            // sums [64 x 24] += a [64 x 16] b [16 x 24]
            __device__ __forceinline__ void multiply_group(
                float (&sums)[12], const uint32 (&a)[4], uint64 b) {
              asm volatile(
                  "wgmma.mma_async.sync.aligned.m64n24k16.f32.bf16.bf16 "
                  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11}, "
                  "{%12, %13, %14, %15}, %16, 1, 1, 1, 1;"
                  : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]),
                    "+f"(sums[5]), "+f"(sums[6]), "+f"(sums[7]), "+f"(sums[8]), "+f"(sums[9]),
                    "+f"(sums[10]), "+f"(sums[11])
                  : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
            }

            // sums [64 x 24], the first 8 columns, += a [64 x 16] b [16 x 8]
            __device__ __forceinline__ void multiply_values(
                float (&sums)[12], const uint32 (&a)[4], uint64 b) {
              asm volatile(
                  "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
                  "{%0, %1, %2, %3}, "
                  "{%4, %5, %6, %7}, %8, 1, 1, 1, 1;"
                  : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                  : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
            }
            """);
  }
}
