/**
 * Last stage: the files. {@link org.powerattention.processor.write.CudaSource} composes the CUDA
 * source of a plan from the pieces under {@code kernels}, {@code LauncherWriter} writes the
 * launcher class.
 */
@NullMarked
package org.powerattention.processor.write;

import org.jspecify.annotations.NullMarked;
