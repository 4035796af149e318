package org.powerattention.examples.quickstart;

import static com.google.common.truth.Truth.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class RecallPlotTest {
  @TempDir Path directory;

  @Test
  void thePlotIsAReadablePictureWithALineForEachMemory() throws IOException {
    Path file = directory.resolve("new").resolve("recall.png");

    RecallPlot.write(
        List.of(
            new Measurement("degree 1", 16, 1, 4096, 1, 1),
            new Measurement("softmax", 16, 0.9, 100, 1, 1),
            new Measurement("degree 1", 1024, 0.2, 4096, 1, 1),
            new Measurement("softmax", 1024, 0.9, 6400, 1, 1)),
        file);

    BufferedImage image = ImageIO.read(file.toFile());
    assertThat(image.getWidth()).isEqualTo(1000);
    assertThat(image.getHeight()).isEqualTo(600);
    Set<Integer> colours = new HashSet<>();
    for (int x = 0; x < image.getWidth(); x++) {
      for (int y = 0; y < image.getHeight(); y++) {
        colours.add(image.getRGB(x, y));
      }
    }
    assertThat(colours).containsAtLeast(0xFFE69F00, 0xFF009E73);
  }
}
