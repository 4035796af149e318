package org.powerattention.runtime.cpu;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
