package org.powerattention.examples.djlkotlin

import java.nio.file.Path
import kotlin.io.path.readText
import org.powerattention.runtime.Accelerator

/**
 * Learns to spell from a text and goes on writing.
 *
 * @param arguments the text file (default: `README.md`)
 */
fun main(arguments: Array<String>) {
  val text = Path.of(arguments.firstOrNull() ?: "README.md").readText().lettersOnly()
  Accelerator.best().use { device ->
    LettersLauncher.on(device).use { attention ->
      LetterModel(attention.operator()).use { model ->
        model.learn(text, steps = 300) { step, loss ->
          if (step % 50 == 0) println("step %3d, loss %.2f nats per letter".format(step, loss))
        }
        print("power attention ")
        model.write("power attention ").take(200).forEach(::print)
        println()
      }
    }
  }
}

/** Lower case letters, with one space in place of anything else between them. */
internal fun String.lettersOnly(): String = lowercase().replace(Regex("[^a-z]+"), " ").trim()
