package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Files that hold a run: its learning curve, then numbers of arrays. Whole, or not there. */
final class Checkpoint {
  private static final int MAGIC = 0x50414332;

  private Checkpoint() {}

  /**
   * Writes one in the place of one that exists.
   *
   * @param kind what only a run of the same kind goes on from
   */
  static void write(Path file, int kind, List<NDArray> arrays, List<Curve> curve)
      throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try (DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(part)))) {
      out.writeInt(MAGIC);
      out.writeInt(kind);
      out.writeInt(curve.size());
      for (Curve point : curve) {
        out.writeInt(point.step());
        out.writeDouble(point.seconds());
        out.writeDouble(point.cpuSeconds());
        out.writeDouble(point.loss());
      }
      out.writeInt(arrays.size());
      for (NDArray array : arrays) {
        float[] numbers = array.toFloatArray();
        out.writeInt(numbers.length);
        for (float number : numbers) {
          out.writeFloat(number);
        }
      }
    }
    Files.move(part, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  /**
   * Reads one into arrays.
   *
   * @param kind of the run; empty to take any whose arrays are as large
   * @return its learning curve; empty if there is no file, and the arrays are as before
   */
  static List<Curve> read(Path file, OptionalInt kind, List<NDArray> arrays) throws IOException {
    if (!Files.exists(file)) {
      return List.of();
    }
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
      check(file, in.readInt() == MAGIC);
      int written = in.readInt();
      check(file, kind.isEmpty() || kind.getAsInt() == written);
      List<Curve> curve = new ArrayList<>();
      for (int i = in.readInt(); i > 0; i--) {
        curve.add(new Curve(in.readInt(), in.readDouble(), in.readDouble(), in.readDouble()));
      }
      check(file, in.readInt() == arrays.size());
      for (NDArray array : arrays) {
        check(file, in.readInt() == array.size());
        float[] numbers = new float[Math.toIntExact(array.size())];
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = in.readFloat();
        }
        array.set(numbers);
      }
      return curve;
    }
  }

  private static void check(Path file, boolean fits) throws IOException {
    if (!fits) {
      throw new IOException(
          file
              + " is a checkpoint of a run of another size or text, or of another version; delete"
              + " it to begin anew, or have results elsewhere (-Dresults=DIRECTORY)");
    }
  }
}
