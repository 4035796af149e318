package org.powerattention.examples.quickstart;

import static com.google.common.truth.Truth.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class TableTest {
  @Test
  void rowsAreSizesColumnsAreMemoriesAndTheFootIsThatOfTheLastRow() {
    String table =
        Table.of(
            List.of(
                new Measurement("degree 1", 16, 1, 4096, 9, 9),
                new Measurement("softmax", 16, 1, 100, 9, 9),
                new Measurement("degree 1", 2048, 0.125, 4096, 2_500_000, 1500),
                new Measurement("softmax", 2048, 1, 1_572_864, 800, 20_000)));

    assertThat(table)
        .isEqualTo(
            """
            stored                    degree 1     softmax
            ----------------------------------------------
            16                         100.0 %     100.0 %
            2,048                       12.5 %     100.0 %

            memory, then                 4 KiB     1.5 MiB
            stored per second            2.5 M         800
            answered per second            2 k        20 k
            """);
  }

  @Test
  void bytesHaveABinaryUnit() {
    assertThat(Table.bytes(1023)).isEqualTo("1023 B");
    assertThat(Table.bytes(80 * 1024)).isEqualTo("80 KiB");
    assertThat(Table.bytes(3L << 19)).isEqualTo("1.5 MiB");
  }
}
