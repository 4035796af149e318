package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.util.Random;
import org.junit.jupiter.api.Test;

final class MemoryPoolTest {
  @Test
  void aBlockHoldsTheRequestAndAlmostNothingElse() {
    Random random = new Random(5);
    for (int i = 0; i < 10_000; i++) {
      long bytes = random.nextLong(1, 1L << random.nextInt(1, 40));
      long block = MemoryPool.blockSize(bytes);
      assertWithMessage("%s bytes", bytes).that(block).isAtLeast(bytes);
      assertWithMessage("%s bytes", bytes)
          .that(block)
          .isLessThan(Math.max(513, bytes >= 2 << 20 ? bytes + (2 << 20) : 2 * bytes));
    }
  }

  @Test
  void requestsThatDifferLittleShareABlockSize() {
    assertThat(MemoryPool.blockSize(1)).isEqualTo(512);
    assertThat(MemoryPool.blockSize(512)).isEqualTo(512);
    assertThat(MemoryPool.blockSize(513)).isEqualTo(1024);
    assertThat(MemoryPool.blockSize((2 << 20) + 1)).isEqualTo(4 << 20);
    assertThat(MemoryPool.blockSize((5 << 20) - 7)).isEqualTo(MemoryPool.blockSize(5 << 20));
  }
}
