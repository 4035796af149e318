package org.powerattention.runtime.cuda;

import static com.google.common.truth.Truth.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.powerattention.annotations.DType;
import org.powerattention.kernels.CudaFiles;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.TensorView;

/** Kernel arguments as the emitted sources declare them. */
final class EmittedArguments {
  private static final Pattern STRUCT =
      Pattern.compile("struct Arguments \\{\n(.*?)\n\\};", Pattern.DOTALL);
  private static final Pattern FIELD = Pattern.compile("(?m)^ *([\\w ]+\\*?) (\\w+);");

  private EmittedArguments() {}

  /** Reads the arguments by the struct that a source of the catalogue declares. */
  static Map<String, Object> read(String file, ByteBuffer buffer) throws IOException {
    String source = Files.readString(CudaFiles.emitted().resolve(file));
    Matcher struct = STRUCT.matcher(source);
    assertThat(struct.find()).isTrue();
    Map<String, Object> fields = new LinkedHashMap<>();
    Matcher field = FIELD.matcher(struct.group(1));
    while (field.find()) {
      fields.put(field.group(2), value(field.group(1), buffer));
    }
    assertThat(buffer.hasRemaining()).isFalse();
    return fields;
  }

  private static Object value(String type, ByteBuffer buffer) {
    if (type.equals("Strides")) {
      List<Long> strides = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        strides.add(buffer.getLong());
      }
      return strides;
    }
    assertThat(type).matches(".*\\*|int64|double");
    return type.equals("double") ? (Object) buffer.getDouble() : (Object) buffer.getLong();
  }

  /** A tensor at an address, with strides that follow it. */
  static TensorView view(long address, DType dtype) {
    return new TensorView(new Place(address), 0, dtype, address + 1, address + 2, address + 3);
  }

  /** Memory that is never touched. */
  record Place(long address) implements Memory {
    @Override
    public long bytes() {
      return Long.MAX_VALUE;
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }
}
