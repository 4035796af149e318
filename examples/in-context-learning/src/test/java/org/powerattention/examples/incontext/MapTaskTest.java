package org.powerattention.examples.incontext;

import static com.google.common.truth.Truth.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class MapTaskTest {
  private static final MapTask TASK = new MapTask(Size.SMALL);

  @Test
  void aKeyHasOneValueThroughoutADocument() {
    for (int[] document : TASK.training(20, 5).tokens()) {
      Map<Integer, Integer> map = new HashMap<>();
      for (int i = 1; i + 1 < document.length; i += 2) {
        Integer before = map.put(document[i], document[i + 1]);
        assertThat(before == null || before == document[i + 1]).isTrue();
        assertThat(document[i]).isLessThan(64);
        assertThat(document[i + 1]).isAtLeast(64);
      }
    }
  }

  /** Whoever knows all pairs so far and nothing else pays ln M for a key that is new. */
  @Test
  void theOptimumIsWhatPerfectMemoryPays() {
    int position = 40;
    int unseen = 0;
    int[][] documents = TASK.training(4000, 6).tokens();
    for (int[] document : documents) {
      boolean seen = false;
      for (int pair = 0; pair < position; pair++) {
        seen |= document[1 + 2 * pair] == document[1 + 2 * position];
      }
      unseen += seen ? 0 : 1;
    }
    double paid = unseen * Math.log(16) / documents.length;
    assertThat(TASK.optimum(position)).isWithin(0.1).of(paid);
    assertThat(TASK.optimum(0)).isWithin(1e-12).of(Math.log(16));
  }

  @Test
  void theWindowTakesTheMemoryOfTheSymmetricPower() {
    // 136 different products of two of 16 numbers, times 16 values; 2 * 16 numbers per token.
    assertThat(Size.SMALL.window()).isEqualTo(136 * 16 / 32);
  }
}
