package org.powerattention.examples.djlkotlin

import com.google.common.truth.Truth.assertThat
import org.junit.jupiter.api.Test
import org.powerattention.runtime.Accelerator

internal class LetterModelTest {
  @Test
  fun learnsToSpellWhatItReads() {
    val text = "to be or not to be that is the question ".repeat(20)
    val losses = mutableListOf<Float>()
    Accelerator.cpu().use { device ->
      LettersLauncher.on(device).use { attention ->
        LetterModel(attention.operator()).use { model ->
          model.learn(text, steps = 60) { _, loss -> losses += loss }
          val written = StringBuilder()
          model.goOn("to be or not to be that is ", letters = 12) { written.append(it) }
          assertThat(written.toString()).isEqualTo("the question")
        }
      }
    }
    assertThat(losses.last()).isLessThan(0.5f)
    assertThat(losses.first()).isGreaterThan(2.5f)
  }
}
