package org.powerattention.examples.kotlin

import java.util.Random
import kotlin.math.sqrt
import org.powerattention.annotations.PowerAttention
import org.powerattention.runtime.Accelerator
import org.powerattention.runtime.ServeOptions

private const val HEAD_DIM = 32

/** kapt hands this declaration to the processor, which writes `LettersLauncher` and its kernels. */
@PowerAttention(degree = 3, headDim = HEAD_DIM, gated = false, normalized = false)
internal interface Letters

/** Associates three letters with the one that follows, in the state of a [Letters] operator. */
internal class LetterReader(private val device: Accelerator) : AutoCloseable {
  private val attention = LettersLauncher.on(device)
  private val memory = attention.newState(1, 1)

  /** Size of all that is remembered. */
  val stateBytes: Long
    get() = memory.bytes()

  /**
   * Guesses the letters of a text from the fifth on. A token's key stands for three letters and its
   * value for the letter after them; its query stands for the three letters that end there, so that
   * its answer is a guess of the letter after those.
   *
   * @param segment tokens of one call; from call to call, only the state is kept
   */
  fun guessEachLetter(text: String, segment: Int = 1024): String {
    return (0 until text.length - CONTEXT - 1)
        .chunked(segment)
        .flatMap { tokens ->
          answers(
              keys = tokens.map { direction(text.substring(it, it + CONTEXT)) },
              values = tokens.map { place(text[it + CONTEXT]) },
              queries = tokens.map { direction(text.substring(it + 1, it + 1 + CONTEXT)) },
          )
        }
        .map { answer -> ALPHABET[answer.indices.maxBy { answer[it] }.coerceAtMost(ALPHABET.lastIndex)] }
        .joinToString(separator = "")
  }

  /** One call for one sequence and one head, which the memory takes in. */
  fun answers(
      keys: List<FloatArray>,
      values: List<FloatArray>,
      queries: List<FloatArray>,
  ): List<FloatArray> =
      device.tensorOf(queries).use { q ->
        device.tensorOf(keys).use { k ->
          device.tensorOf(values).use { v ->
            attention.prefill(memory, q, k, v, UNSCALED).use { y -> y.toFloats().vectors() }
          }
        }
      }

  override fun close() {
    memory.close()
    attention.close()
  }

  private fun Accelerator.tensorOf(vectors: List<FloatArray>) =
      tensor(
          LettersLauncher.SPEC.dtype(),
          FloatArray(vectors.size * HEAD_DIM) { vectors[it / HEAD_DIM][it % HEAD_DIM] },
          1,
          vectors.size.toLong(),
          1,
          HEAD_DIM.toLong(),
      )

  private fun FloatArray.vectors() = asList().chunked(HEAD_DIM) { it.toFloatArray() }

  private companion object {
    val UNSCALED: ServeOptions = ServeOptions.defaults().scale(1.0)
    const val CONTEXT = 3
    const val ALPHABET = " abcdefghijklmnopqrstuvwxyz"

    /** A random direction that is the text's own: those of two texts are nearly orthogonal. */
    fun direction(text: String): FloatArray {
      val random = Random(text.hashCode().toLong())
      val vector = FloatArray(HEAD_DIM) { random.nextGaussian().toFloat() }
      val length = sqrt(vector.sumOf { it.toDouble() * it }).toFloat()
      return FloatArray(HEAD_DIM) { vector[it] / length }
    }

    /** A vector with a 1 at the letter's place in the alphabet. */
    fun place(letter: Char) =
        FloatArray(HEAD_DIM).also { it[ALPHABET.indexOf(letter)] = 1f }
  }
}
