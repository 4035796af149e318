package org.powerattention.examples.quickstart;

import org.powerattention.annotations.PowerAttention;

/**
 * The three operators that are compared. They differ in their degree only, which sets the size of
 * the state. Neither gate nor normalisation: what is stored first is to count as much as what is
 * stored last, and a common factor of an answer does not change what is nearest to it.
 */
@PowerAttention(
    name = "Degree1",
    degree = 1,
    headDim = Memories.HEAD_DIM,
    gated = false,
    normalized = false)
@PowerAttention(
    name = "Degree2",
    degree = 2,
    headDim = Memories.HEAD_DIM,
    gated = false,
    normalized = false)
@PowerAttention(
    name = "Degree3",
    degree = 3,
    headDim = Memories.HEAD_DIM,
    gated = false,
    normalized = false)
interface Memories {
  /** Size of a key and of a value. */
  int HEAD_DIM = 32;
}
