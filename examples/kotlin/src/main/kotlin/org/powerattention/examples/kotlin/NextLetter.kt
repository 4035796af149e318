package org.powerattention.examples.kotlin

import java.awt.Color
import java.nio.file.Path
import kotlin.io.path.readText
import org.powerattention.runtime.Accelerator

/**
 * Reads a text once, letter by letter, and guesses each letter before it is seen, from what
 * followed the same three letters earlier. Nothing is trained: the only memory is the state of a
 * power attention operator, whose size does not grow.
 *
 * @param arguments the text file (default: `README.md`); the plot's file (default: `guesses.png`)
 */
fun main(arguments: Array<String>) {
  // Nothing is shown on a screen, so that none is needed.
  System.setProperty("java.awt.headless", "true")
  val file = Path.of(arguments.firstOrNull() ?: "README.md")
  val text = file.readText().lettersOnly()

  Accelerator.best().use { device ->
    LetterReader(device).use { reader ->
      val guesses = reader.guessEachLetter(text)
      val letters = text.takeLast(guesses.length)
      println("${text.length} letters of $file, a state of ${reader.stateBytes / 1024} KiB, ${device.name()}")
      println("guessed right          %.1f %%".format(100 * letters.shareEqualTo(guesses)))
      println("guessing the commonest %.1f %%".format(100 * letters.shareOfCommonest()))
      println("the last 60 letters    ${letters.takeLast(60)}")
      println("as they were guessed   ${guesses.takeLast(60)}")
      plot(letters, guesses).writeTo(Path.of(arguments.getOrElse(1) { "guesses.png" }))
    }
  }
}

/** Shares of stretches of the text, while the memory fills. */
private fun plot(letters: String, guesses: String): Plot {
  val stretch = letters.length / 20 + 1
  val read = letters.chunked(stretch).runningFold(0.0) { sum, part -> sum + part.length }.drop(1)
  val right = letters.chunked(stretch).zip(guesses.chunked(stretch)) { l, g -> 100 * l.shareEqualTo(g) }
  val commonest = DoubleArray(read.size) { 100 * letters.shareOfCommonest() }
  return Plot("Letters guessed from what followed before", "letters read", "guessed right, %").also {
    it.line("a state of fixed size, p = 3", read.toDoubleArray(), right.toDoubleArray(), Color(0x0072B2))
    it.line("the commonest letter", read.toDoubleArray(), commonest, Color(0x777777))
  }
}

/** Lower case letters, with one space in place of anything else between them. */
internal fun String.lettersOnly(): String =
    lowercase().replace(Regex("[^a-z]+"), " ").trim()

/** Share of the positions at which two strings of one length agree. */
internal fun String.shareEqualTo(other: String): Double =
    zip(other).count { (a, b) -> a == b }.toDouble() / length

/** Share of the most frequent letter: what guessing it always would get right. */
internal fun String.shareOfCommonest(): Double =
    groupingBy { it }.eachCount().values.max().toDouble() / length
