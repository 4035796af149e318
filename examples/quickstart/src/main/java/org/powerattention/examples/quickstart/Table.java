package org.powerattention.examples.quickstart;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Lays out measurements as text: one row for each number stored, one column for each memory. */
final class Table {
  private static final int LABEL_WIDTH = 22;
  private static final int COLUMN_WIDTH = 12;

  private Table() {}

  /** Returns the table: recall by number stored, then size and speed at the greatest number. */
  static String of(List<Measurement> measurements) {
    Map<Integer, List<Measurement>> rows = new LinkedHashMap<>();
    for (Measurement measurement : measurements) {
      rows.computeIfAbsent(measurement.stored(), stored -> new ArrayList<>()).add(measurement);
    }
    StringBuilder text = new StringBuilder();
    List<Measurement> last = List.of();
    for (List<Measurement> row : rows.values()) {
      if (last.isEmpty()) {
        line(text, "stored", row.stream().map(Measurement::memory).toList());
        text.append("-".repeat(LABEL_WIDTH + row.size() * COLUMN_WIDTH)).append('\n');
      }
      List<String> recall = row.stream().map(m -> format("%.1f %%", 100 * m.recall())).toList();
      line(text, format("%,d", row.get(0).stored()), recall);
      last = row;
    }
    text.append('\n');
    line(text, "memory, then", last.stream().map(m -> bytes(m.bytes())).toList());
    line(text, "stored per second", last.stream().map(m -> count(m.storedPerSecond())).toList());
    line(
        text, "answered per second", last.stream().map(m -> count(m.answeredPerSecond())).toList());
    return text.toString();
  }

  /** Returns a size with the binary unit that leaves at most four digits. */
  static String bytes(long bytes) {
    if (bytes < 1 << 10) {
      return bytes + " B";
    }
    return bytes < 1 << 20
        ? format("%.0f KiB", bytes / 0x1p10)
        : format("%.1f MiB", bytes / 0x1p20);
  }

  /** Returns a number to two significant digits or so: nobody's clock is more exact. */
  private static String count(double number) {
    if (number < 1e3) {
      return format("%.0f", number);
    }
    return number < 1e6 ? format("%.0f k", number / 1e3) : format("%.1f M", number / 1e6);
  }

  private static void line(StringBuilder text, String label, List<String> cells) {
    text.append(format("%-" + LABEL_WIDTH + "s", label));
    for (String cell : cells) {
      text.append(format("%" + COLUMN_WIDTH + "s", cell));
    }
    text.append('\n');
  }

  private static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }
}
