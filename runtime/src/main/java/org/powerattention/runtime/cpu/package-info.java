/**
 * The CPU backend: power attention in single precision on all cores, with no native code.
 *
 * <p>{@code HeadSchedule} shares the key/value heads of a call among threads; each is walked chunk
 * by chunk. In the forward pass ({@code ForwardWalk}) a block of queries is computed from the keys
 * of its chunk's window ({@code ChunkAttention}) and from the state before it ({@code StateSums}),
 * which then takes in the window. The backward pass ({@code BackwardWalk}) walks the same way for
 * the gradients of queries ({@code RowGradients}), and back with the gradient of the state for
 * those of keys and values ({@code KeyGradients}). The attention form is the case of a single
 * chunk.
 *
 * <p>Serving ({@code CpuServing}) leaves the sums of a state where they lie in memory ({@code
 * StoredSums}). A decode step ({@code DecodeCall}) streams them through a few rows of scratch, and
 * writes them only when it folds the window; its threads ({@code Crew}) meet without allocating. A
 * prefill call is a forward call whose overlap before the first token is the window.
 *
 * <p>All heavy loops are one kernel ({@code Vectors.add4}) over rows of floats that the JIT
 * compiler vectorises; results do not depend on the number of threads.
 */
@NullMarked
package org.powerattention.runtime.cpu;

import org.jspecify.annotations.NullMarked;
