package org.powerattention.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.powerattention.annotations.DType;
import org.powerattention.annotations.KernelSpec;

/**
 * What stands before the numbers of a saved state: {@code PWRSTATE}, the version of the format, and
 * then as 32-bit integers the spec, the sizes, and the CRC-32C of all that. It has a checksum of
 * its own so that memory is only allocated for sizes that are right.
 *
 * @param degree the spec's degree
 * @param headDim the spec's head size
 * @param dtype the spec's dtype; 0, 1, 2 for BF16, FP16, FP32
 * @param gated 1 if the spec is gated, else 0
 * @param normalized 1 if the spec is normalised, else 0
 * @param windowTokens slots of a window
 * @param features D, the features of a key
 * @param batch number of sequences
 * @param keyHeads number of key/value heads
 * @param window 1 if the windows follow the sums, 0 if they are empty
 */
record StateHeader(
    int degree,
    int headDim,
    int dtype,
    int gated,
    int normalized,
    int windowTokens,
    int features,
    int batch,
    int keyHeads,
    int window) {
  /** The version that is written, and the newest that can be read. */
  static final int VERSION = 1;

  private static final byte[] MAGIC = "PWRSTATE".getBytes(StandardCharsets.US_ASCII);
  private static final int FIELDS = 10;

  /** Bytes up to the version, whose meaning never changes. */
  private static final int START_BYTES = MAGIC.length + Integer.BYTES;

  /** Bytes of a header. */
  static final int BYTES = START_BYTES + (FIELDS + 1) * Integer.BYTES;

  static StateHeader of(State state) {
    KernelSpec spec = state.spec();
    return new StateHeader(
        spec.degree(),
        spec.headDim(),
        code(spec.dtype()),
        spec.gated() ? 1 : 0,
        spec.normalized() ? 1 : 0,
        spec.windowTokens(),
        spec.featureDim(),
        state.batch(),
        state.keyHeads(),
        state.holdsWindow() ? 1 : 0);
  }

  private static int code(DType dtype) {
    return switch (dtype) {
      case BF16 -> 0;
      case FP16 -> 1;
      case FP32 -> 2;
    };
  }

  byte[] encode() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(MAGIC).putInt(VERSION);
    bytes.putInt(degree).putInt(headDim).putInt(dtype).putInt(gated).putInt(normalized);
    bytes.putInt(windowTokens).putInt(features).putInt(batch).putInt(keyHeads).putInt(window);
    return bytes.putInt(checksum(bytes.array())).array();
  }

  private static int checksum(byte[] header) {
    CRC32C checksum = new CRC32C();
    checksum.update(header, 0, BYTES - Integer.BYTES);
    return (int) checksum.getValue();
  }

  /** Reads the bytes of a header of a known version. */
  static byte[] read(InputStream source) throws IOException {
    byte[] header = new byte[BYTES];
    int count = source.readNBytes(header, 0, START_BYTES);
    int compared = Math.min(count, MAGIC.length);
    if (!Arrays.equals(header, 0, compared, MAGIC, 0, compared)) {
      throw new StateFormatException(
          "not a saved state: it does not begin with PWRSTATE; give what State.save wrote");
    }
    if (count == START_BYTES) {
      checkVersion(at(header, MAGIC.length).getInt());
      count += source.readNBytes(header, START_BYTES, BYTES - START_BYTES);
    }
    if (count < BYTES) {
      throw new StateFormatException(
          "the saved state is cut off: it ends after "
              + count
              + " bytes, within its header of "
              + BYTES);
    }
    return header;
  }

  private static void checkVersion(int version) throws StateFormatException {
    if (version < 1 || version > VERSION) {
      throw new StateFormatException(
          "the saved state has version "
              + version
              + " of the format; this library reads version "
              + VERSION
              + ": use the newer one that wrote it");
    }
  }

  private static ByteBuffer at(byte[] header, int position) {
    return ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).position(position);
  }

  static StateHeader decode(byte[] header) throws StateFormatException {
    if (at(header, BYTES - Integer.BYTES).getInt() != checksum(header)) {
      throw new StateFormatException(
          "the saved state is damaged: its header does not match its checksum; save it again");
    }
    ByteBuffer fields = at(header, START_BYTES);
    return new StateHeader(
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt(),
        fields.getInt());
  }

  /** Checks that a state of this header belongs to operators of a spec. */
  void checkFits(KernelSpec needed) throws StateFormatException {
    StringBuilder differences = new StringBuilder();
    compare(differences, "degree", degree, needed.degree());
    compare(differences, "headDim", headDim, needed.headDim());
    compare(differences, "dtype", dtypeName(dtype), needed.dtype().name());
    compare(differences, "gated", gated != 0, needed.gated());
    compare(differences, "normalized", normalized != 0, needed.normalized());
    compare(differences, "windowTokens", windowTokens, needed.windowTokens());
    compare(differences, "features", features, needed.featureDim());
    if (!differences.isEmpty()) {
      throw new StateFormatException(
          "the saved state is of another spec: "
              + differences
              + "; load it with an operator of its own spec");
    }
  }

  /** Returns the sizes of the state, as those of a call. */
  CallSizes sizes() throws StateFormatException {
    try {
      return new CallSizes(batch, 1, keyHeads, keyHeads, null);
    } catch (IllegalArgumentException e) {
      throw new StateFormatException("the saved state has impossible sizes: " + e.getMessage());
    }
  }

  private static String dtypeName(int code) {
    for (DType dtype : DType.values()) {
      if (code(dtype) == code) {
        return dtype.name();
      }
    }
    return "unknown (" + code + ")";
  }

  private static void compare(StringBuilder differences, String name, Object saved, Object needed) {
    if (!saved.equals(needed)) {
      differences.append(differences.isEmpty() ? "" : ", ");
      differences.append(name + " is " + saved + ", the operator's " + needed);
    }
  }
}
