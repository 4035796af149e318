package org.powerattention.examples.djlkotlin

import ai.djl.Model
import ai.djl.ndarray.NDArray
import ai.djl.ndarray.NDList
import ai.djl.ndarray.NDManager
import ai.djl.ndarray.types.Shape
import ai.djl.nn.Block
import ai.djl.nn.Blocks
import ai.djl.nn.ParallelBlock
import ai.djl.nn.SequentialBlock
import ai.djl.nn.core.Linear
import ai.djl.nn.norm.LayerNorm
import ai.djl.training.DefaultTrainingConfig
import ai.djl.training.ParameterStore
import ai.djl.training.loss.SoftmaxCrossEntropyLoss
import ai.djl.training.optimizer.Optimizer
import ai.djl.training.tracker.Tracker
import java.util.Random
import org.powerattention.annotations.DType
import org.powerattention.annotations.PowerAttention
import org.powerattention.djl.AttentionMemory
import org.powerattention.djl.GradientCut
import org.powerattention.djl.PowerAttentionBlock
import org.powerattention.djl.PowerAttentionTrainer
import org.powerattention.runtime.PowerAttentionOperator

private const val ALPHABET = " abcdefghijklmnopqrstuvwxyz"
private const val LETTERS = ALPHABET.length
private const val WIDTH = 64L

/** kapt hands this declaration to the processor, which writes `LettersLauncher` and its kernels. */
@PowerAttention(degree = 2, headDim = 16, chunk = 128, dtype = DType.FP32)
internal interface Letters

/** A language model of letters with one layer of power attention. */
internal class LetterModel(private val attention: PowerAttentionOperator) : AutoCloseable {
  private val model = Model.newInstance("letters", "PyTorch").also { it.block = block() }

  private fun block() =
      SequentialBlock()
          .add(Linear.builder().setUnits(WIDTH).build())
          .add(GradientCut())
          .add(residual(LayerNorm.builder().axis(2).build(), attentionLayer()))
          .add(LayerNorm.builder().axis(2).build())
          .add(Linear.builder().setUnits(LETTERS.toLong()).build())

  private fun attentionLayer() =
      PowerAttentionBlock.builder()
          .setOperator(attention)
          .setWidth(WIDTH)
          .setHeads(4)
          .optKeyHeads(2)
          .optRotaryEmbedding(10_000.0)
          .build()

  private fun residual(vararg layers: Block) =
      ParallelBlock({ (x, y) -> NDList(x.singletonOrThrow().add(y.singletonOrThrow())) })
          .add(Blocks.identityBlock())
          .add(SequentialBlock().also { layers.forEach(it::add) })

  /** Learns to guess each next letter of a text; [report] is told the loss of each step. */
  fun learn(text: String, steps: Int, report: (step: Int, loss: Float) -> Unit = { _, _ -> }) {
    val config =
        DefaultTrainingConfig(SoftmaxCrossEntropyLoss("loss", 1f, -1, true, true))
            .optOptimizer(Optimizer.adam().optLearningRateTracker(Tracker.fixed(3e-3f)).build())
    PowerAttentionTrainer.of(model, config).use { trainer ->
      trainer.manager.engine.setRandomSeed(1)
      trainer.initialize(Shape(1, 1, LETTERS.toLong()))
      val random = Random(1)
      for (step in 1..steps) {
        trainer.manager.newSubManager().use { manager ->
          val stretches = List(8) { text.stretch(random.nextInt(text.length - LENGTH - 1)) }
          val labels = NDList(manager.numbers(stretches.map { it.drop(1) }))
          val loss = trainer.newGradientCollector().use { gradients ->
            val guesses = trainer.forward(NDList(manager.letters(stretches.map { it.dropLast(1) })))
            trainer.loss.evaluate(labels, guesses).also(gradients::backward)
          }
          report(step, loss.getFloat())
        }
        trainer.step()
      }
    }
  }

  /** Goes on writing where [start] ends; [write] is told each letter, which takes the same time. */
  fun goOn(start: String, letters: Int, write: (Char) -> Unit) {
    val random = Random(1)
    model.ndManager.newSubManager().use { manager ->
      AttentionMemory().use { memory ->
        var read = start
        repeat(letters) {
          val chances = memory.read { guess(manager, read) }
          val letter = ALPHABET[random.draw(chances)]
          write(letter)
          read = letter.toString()
        }
      }
    }
  }

  private fun guess(manager: NDManager, read: String): FloatArray =
      manager.newSubManager().use { scratch ->
        val input = NDList(scratch.letters(listOf(read)))
        val logits = model.block.forward(ParameterStore(scratch, false), input, false)
        logits.singletonOrThrow().get("0, -1").softmax(0).toFloatArray()
      }

  override fun close() = model.close()

  private companion object {
    const val LENGTH = 128

    fun String.stretch(start: Int) = substring(start, start + LENGTH + 1)

    fun NDManager.numbers(texts: List<String>): NDArray =
        create(
            texts.joinToString("").map { ALPHABET.indexOf(it).toLong() }.toLongArray(),
            Shape(texts.size.toLong(), texts[0].length.toLong(), 1),
        )

    fun NDManager.letters(texts: List<String>): NDArray =
        numbers(texts).squeeze(2).oneHot(LETTERS)

    fun Random.draw(chances: FloatArray): Int {
      var rest = nextFloat() * chances.sum()
      return chances.indices.firstOrNull { rest -= chances[it]; rest < 0 } ?: chances.lastIndex
    }
  }
}
