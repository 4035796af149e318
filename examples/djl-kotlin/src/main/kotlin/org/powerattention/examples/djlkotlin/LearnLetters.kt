package org.powerattention.examples.djlkotlin

import java.awt.Color
import java.nio.file.Path
import kotlin.io.path.readText
import kotlin.math.ln
import org.powerattention.runtime.Accelerator

/**
 * Learns to spell from a text, draws how, and goes on writing.
 *
 * @param arguments the text file (default: `README.md`); the plot's file (default: `loss.png`)
 */
fun main(arguments: Array<String>) {
  // Nothing is shown on a screen, so that none is needed.
  System.setProperty("java.awt.headless", "true")
  val text = Path.of(arguments.firstOrNull() ?: "README.md").readText().lettersOnly()
  Accelerator.best().use { device ->
    LettersLauncher.on(device).use { attention ->
      LetterModel(attention.operator()).use { model ->
        val losses = mutableListOf<Double>()
        model.learn(text, steps = 300) { step, loss ->
          losses += loss.toDouble()
          if (step % 50 == 0) println("step %3d, loss %.2f nats per letter".format(step, loss))
        }
        print("power attention ")
        model.goOn("power attention ", letters = 200, ::print)
        println()
        losses.plot().writeTo(Path.of(arguments.getOrElse(1) { "loss.png" }))
      }
    }
  }
}

private fun List<Double>.plot() =
    Plot("Learning to spell: power attention, p = 2", "step", "loss, nats per letter").also {
      val means = chunked(10).map(List<Double>::average).toDoubleArray()
      val steps = DoubleArray(means.size) { i -> 10.0 * (i + 1) }
      it.line("guessing blindly", steps, DoubleArray(means.size) { ln(27.0) }, Color(0x777777))
      it.line("the model", steps, means, Color(0x009E73))
    }

/** Lower case letters, with one space in place of anything else between them. */
internal fun String.lettersOnly(): String = lowercase().replace(Regex("[^a-z]+"), " ").trim()
