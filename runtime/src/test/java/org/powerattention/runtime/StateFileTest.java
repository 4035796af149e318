package org.powerattention.runtime;

import static com.google.common.truth.Truth.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.spi.Memory;

final class StateFileTest {
  private static final KernelSpec SPEC = new KernelSpec(2, 16, 64, DType.BF16, true, true);

  /** The header: 8 bytes of magic, 4 of version, ten numbers, a checksum. */
  private static final int HEADER = 8 + 4 + 10 * 4 + 4;

  private final FakeBackend backend = new FakeBackend(true);
  private final Accelerator device = new Accelerator(backend);
  private final PowerAttentionOperator operator = OperatorFixture.load(device, SPEC);

  @AfterEach
  void close() {
    device.close();
  }

  private State state(PowerAttentionOperator owner, int batch, int keyHeads, boolean window) {
    State state = owner.newState(batch, keyHeads);
    Random random = new Random(5);
    for (Memory block : state.sumBlocks()) {
      randomise(block, random);
    }
    if (window) {
      for (Memory block : state.serving().windowBlocks()) {
        randomise(block, random);
      }
      ByteBuffer spans = ByteBuffer.allocate(batch * keyHeads * 8).order(ByteOrder.nativeOrder());
      while (spans.hasRemaining()) {
        spans.putInt(random.nextInt(64)).putInt(random.nextInt(65));
      }
      state.serving().spans().write(0, spans.flip());
      state.markWindow();
    }
    return state;
  }

  private static void randomise(Memory block, Random random) {
    byte[] bytes = new byte[(int) block.bytes()];
    random.nextBytes(bytes);
    block.write(0, ByteBuffer.wrap(bytes));
  }

  private static byte[] saved(State state) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    state.save(bytes);
    return bytes.toByteArray();
  }

  /** Returns a saved state of one head; it is closed, so that it cannot be lost meanwhile. */
  private byte[] small(PowerAttentionOperator owner, boolean window) throws IOException {
    try (State state = state(owner, 1, 1, window)) {
      return saved(state);
    }
  }

  private State load(byte[] bytes) throws IOException {
    return operator.loadState(new ByteArrayInputStream(bytes));
  }

  private static byte[] content(Memory block) {
    byte[] bytes = new byte[(int) block.bytes()];
    block.read(0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static void assertEqual(State loaded, State original) {
    assertThat(loaded.batch()).isEqualTo(original.batch());
    assertThat(loaded.keyHeads()).isEqualTo(original.keyHeads());
    assertThat(loaded.holdsWindow()).isEqualTo(original.holdsWindow());
    assertEqual(loaded.sumBlocks(), original.sumBlocks());
    if (original.holdsWindow()) {
      assertEqual(loaded.serving().windowBlocks(), original.serving().windowBlocks());
    }
  }

  private static void assertEqual(List<Memory> loaded, List<Memory> original) {
    assertThat(loaded).hasSize(original.size());
    for (int n = 0; n < loaded.size(); n++) {
      assertThat(content(loaded.get(n))).isEqualTo(content(original.get(n)));
    }
  }

  @Test
  void whatIsSavedIsLoadedOfEveryKindOfSpec() throws IOException {
    for (KernelSpec spec :
        List.of(
            SPEC,
            new KernelSpec(1, 16, 128, DType.FP32, false, false),
            new KernelSpec(2, 16, 64, DType.FP16, false, true),
            new KernelSpec(3, 16, 64, DType.BF16, true, false))) {
      PowerAttentionOperator owner = OperatorFixture.load(device, spec);
      for (boolean window : new boolean[] {false, true}) {
        State state = state(owner, 2, 3, window);
        byte[] bytes = saved(state);
        long numbers = 6 * spec.stateBytes();
        long slots = 6L * spec.windowTokens();
        long windowBytes = slots * (32L * spec.dtype().bytes() + (spec.gated() ? 4 : 0)) + 6 * 8;
        assertThat(bytes.length).isEqualTo(HEADER + numbers + (window ? windowBytes : 0) + 4);
        assertEqual(owner.loadState(new ByteArrayInputStream(bytes)), state);
      }
    }
  }

  @Test
  void theFormatIsAsDocumented() throws IOException {
    State state = state(operator, 1, 2, true);
    ByteBuffer bytes = ByteBuffer.wrap(saved(state)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[8];
    bytes.get(magic);
    assertThat(magic).isEqualTo(new byte[] {'P', 'W', 'R', 'S', 'T', 'A', 'T', 'E'});
    int[] fields = new int[11];
    bytes.asIntBuffer().get(fields);
    assertThat(fields).isEqualTo(new int[] {1, 2, 16, 0, 1, 1, 64, 192, 1, 2, 1});
    float[] sums = new float[2 * 192 * 16];
    bytes.position(HEADER).asFloatBuffer().get(sums);
    assertThat(sums).isEqualTo(state.sumsAsTheyAre().toFloats());
    assertThat(bytes.getInt(HEADER - 4)).isEqualTo(crc(bytes.array(), HEADER - 4));
    int end = bytes.capacity() - 4;
    assertThat(bytes.getInt(end)).isEqualTo(crc(bytes.array(), end));
  }

  private static int crc(byte[] bytes, int count) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, count);
    return (int) checksum.getValue();
  }

  @Test
  void aStateLargerThanAPieceIsLoaded() throws IOException {
    PowerAttentionOperator large =
        OperatorFixture.load(device, new KernelSpec(2, 64, 64, DType.BF16, true, true));
    State state = state(large, 3, 1, true);
    assertThat(state.bytes()).isGreaterThan(1 << 20);
    assertEqual(large.loadState(new ByteArrayInputStream(saved(state))), state);
  }

  @Test
  void statesCanFollowEachOtherInAStream() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    State first = state(operator, 1, 1, true);
    State second = state(operator, 2, 1, false);
    first.save(bytes);
    second.save(bytes);
    ByteArrayInputStream source = new ByteArrayInputStream(bytes.toByteArray());
    assertEqual(operator.loadState(source), first);
    assertEqual(operator.loadState(source), second);
    assertThat(source.read()).isEqualTo(-1);
  }

  @Test
  void everyLengthThatIsCutOffIsRefused() throws IOException {
    PowerAttentionOperator linear =
        OperatorFixture.load(device, new KernelSpec(1, 16, 64, DType.BF16, true, false));
    byte[] bytes = small(linear, false);
    byte[] withWindow = small(linear, true);
    int blocks = backend.openBlocks.get();
    for (int length = 0; length < bytes.length; length++) {
      cutOff(linear, Arrays.copyOf(bytes, length));
    }
    for (int length = 1; length < withWindow.length; length += 5) {
      cutOff(linear, Arrays.copyOf(withWindow, length));
    }
    assertThat(backend.openBlocks.get()).isEqualTo(blocks);
  }

  private static void cutOff(PowerAttentionOperator owner, byte[] bytes) {
    StateFormatException failure =
        assertThrows(
            StateFormatException.class,
            () -> owner.loadState(new ByteArrayInputStream(bytes)).close());
    assertThat(failure)
        .hasMessageThat()
        .contains("is cut off: it ends after " + bytes.length + " bytes");
  }

  @Test
  void everyDamagedByteIsRefused() throws IOException {
    byte[] bytes = small(operator, true);
    int blocks = backend.openBlocks.get();
    Random random = new Random(8);
    for (int n = 0; n < 600; n++) {
      int place = n < HEADER ? n : random.nextInt(bytes.length);
      byte[] damaged = bytes.clone();
      damaged[place] ^= (byte) (1 << random.nextInt(8));
      String part =
          place < 8
              ? "not a saved state"
              : place < 12 ? "of the format; this library reads version 1" : "is damaged";
      refused(part, damaged);
    }
    assertThat(backend.openBlocks.get()).isEqualTo(blocks);
    refused("not a saved state", "something else".getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aNewerVersionIsRefused() throws IOException {
    byte[] bytes = small(operator, false);
    bytes[8] = 2;
    refused("has version 2 of the format; this library reads version 1", bytes);
  }

  @Test
  void theStateOfAnotherSpecIsRefusedWithAllThatDiffers() throws IOException {
    specRefused("degree is 4, the operator's 2", new KernelSpec(4, 16, 64, DType.BF16, true, true));
    specRefused(
        "headDim is 32, the operator's 16", new KernelSpec(2, 32, 64, DType.BF16, true, true));
    specRefused(
        "dtype is FP16, the operator's BF16", new KernelSpec(2, 16, 64, DType.FP16, true, true));
    specRefused(
        "gated is false, the operator's true, normalized is false, the operator's true,"
            + " windowTokens is 128, the operator's 64",
        new KernelSpec(2, 16, 128, DType.BF16, false, false));
    KernelSpec larger = new KernelSpec(2, 16, 512, DType.BF16, true, true);
    KernelSpec large = new KernelSpec(2, 16, 256, DType.BF16, true, true);
    byte[] bytes = saved(OperatorFixture.load(device, larger).newState(1, 1));
    State state = OperatorFixture.load(device, large).loadState(new ByteArrayInputStream(bytes));
    assertThat(state.spec()).isEqualTo(large);
  }

  private void specRefused(String part, KernelSpec spec) throws IOException {
    refused(part, saved(OperatorFixture.load(device, spec).newState(1, 1)));
  }

  private void refused(String part, byte[] bytes) {
    StateFormatException failure =
        assertThrows(StateFormatException.class, () -> load(bytes).close());
    assertThat(failure).hasMessageThat().contains(part);
  }

  @Test
  void aWindowThatPointsOutsideIsRefusedEvenWithAGoodChecksum() throws IOException {
    byte[] bytes = small(operator, true);
    int blocks = backend.openBlocks.get();
    int spans = bytes.length - 12;
    for (int[] span : new int[][] {{64, 0}, {-1, 3}, {0, 65}, {3, -1}}) {
      ByteBuffer forged = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
      forged.putInt(spans, span[0]).putInt(spans + 4, span[1]);
      forged.putInt(bytes.length - 4, crc(forged.array(), bytes.length - 4));
      refused("has a window of " + span[1] + " tokens from slot " + span[0], forged.array());
    }
    assertThat(backend.openBlocks.get()).isEqualTo(blocks);
  }

  @Test
  void impossibleSizesAreRefusedEvenWithAGoodChecksum() throws IOException {
    ByteBuffer forged = ByteBuffer.wrap(small(operator, false)).order(ByteOrder.LITTLE_ENDIAN);
    int blocks = backend.openBlocks.get();
    for (int batch : new int[] {0, -1, 65_536}) {
      forged.putInt(8 + 4 + 7 * 4, batch).putInt(HEADER - 4, crc(forged.array(), HEADER - 4));
      refused("has impossible sizes: batch", forged.array());
    }
    assertThat(backend.openBlocks.get()).isEqualTo(blocks);
  }

  @Test
  void aFileIsWrittenWholeOrNotAtAll(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("memory.state");
    State first = state(operator, 1, 1, true);
    first.save(file);
    assertEqual(operator.loadState(file), first);
    State second = state(operator, 2, 1, false);
    second.save(file);
    assertEqual(operator.loadState(file), second);
    second.close();
    assertThrows(IllegalStateException.class, () -> second.save(file));
    assertThrows(IOException.class, () -> first.save(directory.resolve("none/memory.state")));
    assertThat(operator.loadState(file).batch()).isEqualTo(2);
    try (Stream<Path> files = Files.list(directory)) {
      assertThat(files).containsExactly(file);
    }
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
    int blocks = backend.openBlocks.get();
    StateFormatException failure =
        assertThrows(StateFormatException.class, () -> operator.loadState(file));
    assertThat(failure).hasMessageThat().contains("memory.state goes on after the state");
    // Fewer if states that were loaded above have been collected meanwhile.
    assertThat(backend.openBlocks.get()).isAtMost(blocks);
  }

  @Test
  void aStateIsSavedAfterItsOperatorIsClosedAndLoadedElsewhere() throws IOException {
    State state = state(operator, 2, 1, true);
    operator.close();
    byte[] bytes = saved(state);
    try (Accelerator cpu = new Accelerator(new FakeBackend(false))) {
      PowerAttentionOperator other = OperatorFixture.load(cpu, SPEC);
      assertEqual(other.loadState(new ByteArrayInputStream(bytes)), state);
    }
    assertThrows(IllegalStateException.class, () -> load(bytes));
  }

  @Test
  void numbersOfBigEndianMachinesAreTurnedAround() {
    byte[] pairs = {1, 2, 3, 4, 5, 6, 7, 8};
    StateFile.swap(pairs, 6, 2, ByteOrder.BIG_ENDIAN);
    assertThat(pairs).isEqualTo(new byte[] {2, 1, 4, 3, 6, 5, 7, 8});
    byte[] quads = {1, 2, 3, 4, 5, 6, 7, 8};
    StateFile.swap(quads, 8, 4, ByteOrder.BIG_ENDIAN);
    assertThat(quads).isEqualTo(new byte[] {4, 3, 2, 1, 8, 7, 6, 5});
    StateFile.swap(quads, 8, 4, ByteOrder.LITTLE_ENDIAN);
    assertThat(quads).isEqualTo(new byte[] {4, 3, 2, 1, 8, 7, 6, 5});
  }
}
