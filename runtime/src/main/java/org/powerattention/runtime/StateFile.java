package org.powerattention.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.powerattention.runtime.spi.Memory;

/**
 * The format of saved states, version 1, all little-endian: the {@linkplain StateHeader header}; S;
 * z if the operator is normalised; if tokens wait in the windows, their keys, values, log gates if
 * the operator is gated, and spans (see {@link org.powerattention.runtime.spi.WindowView}); then
 * the CRC-32C of everything before. Numbers pass through in pieces, so a state can be of any size.
 */
final class StateFile {
  private static final int PIECE_BYTES = 1 << 18;

  /** A block of memory, and the size of a number in it. */
  private record Block(Memory memory, int numberBytes) {}

  private final State state;
  private final boolean window;
  private final CRC32C checksum = new CRC32C();
  private final byte[] piece = new byte[PIECE_BYTES];
  private long bytesRead = StateHeader.BYTES;

  private StateFile(State state, boolean window, byte[] header) {
    this.state = state;
    this.window = window;
    checksum.update(header);
  }

  static void save(State state, OutputStream target) throws IOException {
    state.checkOpen();
    StateHeader header = StateHeader.of(state);
    byte[] bytes = header.encode();
    try {
      target.write(bytes);
      new StateFile(state, header.window() != 0, bytes).write(target);
      target.flush();
    } finally {
      Reference.reachabilityFence(state);
    }
  }

  static void save(State state, Path path) throws IOException {
    state.checkOpen();
    // In the same directory, so that it can take the name in one step.
    Path temporary = path.resolveSibling(path.getFileName() + "." + UUID.randomUUID() + ".part");
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        save(state, Channels.newOutputStream(channel));
        // Without this a crash of the machine could leave the new name with none of the content.
        channel.force(true);
      }
      Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  static State load(PowerAttentionOperator operator, Path path) throws IOException {
    operator.checkOpen();
    try (InputStream source = Files.newInputStream(path)) {
      State state = load(operator, source);
      try {
        if (source.read() >= 0) {
          throw new StateFormatException(
              path + " goes on after the state that it holds; it has been altered");
        }
      } catch (IOException | RuntimeException | Error e) {
        state.close();
        throw e;
      }
      return state;
    }
  }

  static State load(PowerAttentionOperator operator, InputStream source) throws IOException {
    operator.checkOpen();
    byte[] bytes = StateHeader.read(source);
    StateHeader header = StateHeader.decode(bytes);
    header.checkFits(operator.spec());
    CallSizes sizes = header.sizes();
    State state = States.undefined(operator, sizes.batch(), sizes.keyHeads(), null);
    try {
      new StateFile(state, header.window() != 0, bytes).read(source);
      return state;
    } catch (IOException | RuntimeException | Error e) {
      state.close();
      throw e;
    }
  }

  private List<Block> blocks() {
    List<Block> blocks = new ArrayList<>();
    state.sumBlocks().forEach(sums -> blocks.add(new Block(sums, Float.BYTES)));
    if (window) {
      List<Memory> parts = state.serving().windowBlocks();
      for (int n = 0; n < parts.size(); n++) {
        // First come keys and values.
        int numberBytes = n < 2 ? state.spec().dtype().bytes() : Integer.BYTES;
        blocks.add(new Block(parts.get(n), numberBytes));
      }
    }
    return blocks;
  }

  private void write(OutputStream target) throws IOException {
    ByteBuffer staging = state.accelerator().takeStaging();
    try {
      for (Block block : blocks()) {
        long bytes = block.memory.bytes();
        for (long offset = 0; offset < bytes; offset += PIECE_BYTES) {
          int count = (int) Math.min(PIECE_BYTES, bytes - offset);
          block.memory.read(offset, staging.clear().limit(count));
          staging.get(0, piece, 0, count);
          swap(piece, count, block.numberBytes, ByteOrder.nativeOrder());
          checksum.update(piece, 0, count);
          target.write(piece, 0, count);
        }
      }
    } finally {
      state.accelerator().returnStaging(staging);
    }
    littleEndian(piece).putInt((int) checksum.getValue());
    target.write(piece, 0, Integer.BYTES);
  }

  private void read(InputStream source) throws IOException {
    ByteBuffer staging = state.accelerator().takeStaging();
    try {
      for (Block block : blocks()) {
        long bytes = block.memory.bytes();
        for (long offset = 0; offset < bytes; offset += PIECE_BYTES) {
          int count = (int) Math.min(PIECE_BYTES, bytes - offset);
          fill(source, count);
          checksum.update(piece, 0, count);
          swap(piece, count, block.numberBytes, ByteOrder.nativeOrder());
          block.memory.write(offset, staging.clear().put(piece, 0, count).flip());
        }
      }
    } finally {
      state.accelerator().returnStaging(staging);
    }
    fill(source, Integer.BYTES);
    if (littleEndian(piece).getInt() != (int) checksum.getValue()) {
      throw new StateFormatException(
          "the saved state is damaged: its numbers do not match its checksum; save it again");
    }
    if (window) {
      checkSpans();
      state.markWindow();
    }
  }

  private void fill(InputStream source, int count) throws IOException {
    int filled = source.readNBytes(piece, 0, count);
    bytesRead += filled;
    if (filled < count) {
      throw new StateFormatException(
          "the saved state is cut off: it ends after "
              + bytesRead
              + " bytes, before its checksum; copy or save it again");
    }
  }

  /** A kernel takes the spans at their word, so they must not point beyond the window. */
  private void checkSpans() throws StateFormatException {
    int capacity = state.spec().windowTokens();
    Memory spans = state.serving().spans();
    ByteBuffer numbers =
        ByteBuffer.allocateDirect((int) spans.bytes()).order(ByteOrder.nativeOrder());
    spans.read(0, numbers);
    numbers.flip();
    while (numbers.hasRemaining()) {
      int first = numbers.getInt();
      int length = numbers.getInt();
      if (first < 0 || first >= capacity || length < 0 || length > capacity) {
        throw new StateFormatException(
            "the saved state has a window of "
                + length
                + " tokens from slot "
                + first
                + " on; possible: up to "
                + capacity
                + " tokens and as many slots");
      }
    }
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Turns numbers of a byte order into little-endian ones, or back, in place. */
  static void swap(byte[] numbers, int count, int numberBytes, ByteOrder order) {
    if (order == ByteOrder.LITTLE_ENDIAN) {
      return;
    }
    for (int start = 0; start < count; start += numberBytes) {
      for (int a = start, b = start + numberBytes - 1; a < b; a++, b--) {
        byte kept = numbers[a];
        numbers[a] = numbers[b];
        numbers[b] = kept;
      }
    }
  }
}
