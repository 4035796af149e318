package org.powerattention.examples.kotlin

import com.google.common.truth.Truth.assertThat
import org.junit.jupiter.api.Test
import org.powerattention.runtime.Accelerator

class LetterReaderTest {
  @Test
  fun `the launcher that kapt generated computes the formula`() {
    val e1 = FloatArray(32).also { it[0] = 1f }
    val e2 = FloatArray(32).also { it[1] = 1f }

    val answers =
        useReader {
          it.answers(
              keys = listOf(e1, e1.times(2f)),
              values = listOf(e1, e2),
              queries = listOf(e1, e1),
          )
        }

    // y_1 = 1^3 e1, y_2 = 1^3 e1 + 2^3 e2: small integers, exact in bf16.
    assertThat(answers[0]).isEqualTo(e1)
    assertThat(answers[1]).isEqualTo(FloatArray(32).also { it[0] = 1f; it[1] = 8f })
  }

  @Test
  fun `a text that repeats is guessed once it has been seen`() {
    val text = "power attention ".repeat(20)

    val guesses = useReader { it.guessEachLetter(text) }

    assertThat(guesses.drop(16)).isEqualTo(text.drop(4 + 16))
  }

  @Test
  fun `guesses do not depend on where the text is cut into segments`() {
    val text = "she sells sea shells by the sea shore ".repeat(3)

    val inOne = useReader { it.guessEachLetter(text, segment = 1000) }
    val inMany = useReader { it.guessEachLetter(text, segment = 7) }

    assertThat(inMany).isEqualTo(inOne)
  }

  @Test
  fun `anything but letters becomes one space`() {
    assertThat("  y = f(X2);\n// Done".lettersOnly()).isEqualTo("y f x done")
  }

  @Test
  fun `shares are counted`() {
    assertThat("abca".shareEqualTo("abba")).isEqualTo(0.75)
    assertThat("abca".shareOfCommonest()).isEqualTo(0.5)
  }

  private fun <T> useReader(block: (LetterReader) -> T): T =
      Accelerator.cpu().use { device -> LetterReader(device).use(block) }

  private fun FloatArray.times(factor: Float) = FloatArray(size) { this[it] * factor }
}
