package org.powerattention.kernels.accuracy;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.kernels.accuracy.RacecheckSources.Part;

/** What racecheck is shown is what Hopper runs, but for how threads arrive at barriers. */
final class RacecheckSourcesTest {
  @Test
  void everyBarrierOfEverySourceIsOneThatRacecheckFollows() throws IOException {
    int changed = 0;
    for (TestOperator operator : TestOperator.all()) {
      for (Part part : Part.values()) {
        String source = part.sourceOf(operator);
        if (source == null || !RacecheckSources.isAsynchronous(source)) {
          boolean hopper = operator.spec().dtype() == DType.BF16 && part == Part.FORWARD;
          assertWithMessage("%s %s", operator, part).that(hopper).isFalse();
          continue;
        }
        String followed = part.followed(source);
        assertWithMessage("%s %s", operator, part).that(followed).doesNotContain(".noinc");
        assertWithMessage("%s %s", operator, part)
            .that(followed.lines().count())
            .isEqualTo(source.lines().count() - 1);
        changed++;
      }
    }
    assertThat(changed).isGreaterThan(30);
  }
}
