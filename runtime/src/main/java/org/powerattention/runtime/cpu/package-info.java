/**
 * The CPU backend: power attention's forward pass in single precision on all cores, with no native
 * code.
 *
 * <p>{@link org.powerattention.runtime.cpu.CpuForward} walks each key/value head chunk by chunk:
 * {@code OutputRows} computes a block of queries from the keys of its own chunk ({@code
 * ChunkAttention}) and from the state before the chunk ({@code StateSums}), which then takes in the
 * chunk. The attention form is the case of a single chunk. All heavy loops are one kernel ({@code
 * Vectors.add4}) over rows of floats that the JIT compiler vectorises; results do not depend on the
 * number of threads.
 */
@NullMarked
package org.powerattention.runtime.cpu;

import org.jspecify.annotations.NullMarked;
