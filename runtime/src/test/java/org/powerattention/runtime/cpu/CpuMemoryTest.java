package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.powerattention.runtime.spi.Memory;

class CpuMemoryTest {
  private final CpuBackend backend = new CpuBackend();

  @Test
  void keepsWhatIsWrittenAtAnOffset() {
    Memory memory = backend.allocate(16);
    memory.write(8, ByteBuffer.wrap(new byte[] {1, 2, 3}));
    byte[] read = new byte[16];
    memory.read(0, ByteBuffer.wrap(read));
    assertThat(read).isEqualTo(new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0});
    assertThat(memory.address()).isEqualTo(0);
    assertThat(memory.bytes()).isEqualTo(16);
  }

  @Test
  void copiesAndClearsPartsAndLeavesTheRest() {
    int bytes = (2 << 20) + 40;
    byte[] content = new byte[bytes];
    new Random(1).nextBytes(content);
    for (boolean foreign : new boolean[] {false, true}) {
      Memory source = backend.allocate(bytes);
      source.write(0, ByteBuffer.wrap(content));
      Memory memory = backend.allocate(bytes + 10);
      memory.copyFrom(foreign ? new Foreign(source) : source, 3, 5, bytes - 7);
      byte[] expected = new byte[bytes + 10];
      System.arraycopy(content, 3, expected, 5, bytes - 7);
      byte[] read = new byte[bytes + 10];
      memory.read(0, ByteBuffer.wrap(read));
      assertThat(Arrays.equals(read, expected)).isTrue();
      memory.clear(7, bytes - 20);
      Arrays.fill(expected, 7, bytes - 13, (byte) 0);
      memory.read(0, ByteBuffer.wrap(read));
      assertThat(Arrays.equals(read, expected)).isTrue();
      assertThrows(IndexOutOfBoundsException.class, () -> memory.copyFrom(source, 0, 11, bytes));
      assertThrows(IndexOutOfBoundsException.class, () -> memory.copyFrom(source, 1, 0, bytes));
    }
  }

  /** Memory as that of another device, which can only be read and written. */
  private record Foreign(Memory memory) implements Memory {
    @Override
    public long bytes() {
      return memory.bytes();
    }

    @Override
    public long address() {
      return 4096;
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      memory.write(offset, source);
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      memory.read(offset, target);
    }

    @Override
    public void close() {
      memory.close();
    }
  }

  @Test
  void wrappedBufferIsSharedFromItsPositionToItsLimit() {
    ByteBuffer direct = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
    Memory memory = CpuBackend.wrap(direct.position(2).limit(6));
    assertThat(memory.bytes()).isEqualTo(4);
    memory.write(1, ByteBuffer.wrap(new byte[] {7}));
    assertThat(direct.get(3)).isEqualTo(7);
    memory.close();
    assertThat(direct.get(3)).isEqualTo(7);
  }

  @Test
  void refusesBuffersItCannotShare() {
    assertThrows(IllegalArgumentException.class, () -> CpuBackend.wrap(ByteBuffer.allocate(8)));
    ByteOrder foreign =
        ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
            ? ByteOrder.LITTLE_ENDIAN
            : ByteOrder.BIG_ENDIAN;
    assertThrows(
        IllegalArgumentException.class,
        () -> CpuBackend.wrap(ByteBuffer.allocateDirect(8).order(foreign)));
  }

  @Test
  void refusesMoreThanABufferHoldsAndSaysSo() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1L << 31));
    assertThat(e).hasMessageThat().contains("2147483648");
    assertThat(e).hasMessageThat().contains("2147483647");
  }

  @Test
  void refusesAccessOutsideAndAfterClose() {
    Memory memory = backend.allocate(4);
    assertThrows(IndexOutOfBoundsException.class, () -> memory.write(2, ByteBuffer.allocate(3)));
    assertThrows(IndexOutOfBoundsException.class, () -> memory.read(-1, ByteBuffer.allocate(1)));
    memory.close();
    memory.close();
    assertThrows(IllegalStateException.class, () -> memory.read(0, ByteBuffer.allocate(1)));
  }

  @Test
  void refusesAddressesAndNamesTheOtherWay() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> backend.borrow(4096, 16));
    assertThat(e).hasMessageThat().contains("Accelerator.borrow(DType, ByteBuffer");
  }
}
