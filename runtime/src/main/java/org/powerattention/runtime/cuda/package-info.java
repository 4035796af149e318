/**
 * The CUDA backend: finding and loading the native libraries, compiling generated sources with
 * NVRTC, keeping the results on disk, and everything that calls the driver.
 */
@NullMarked
package org.powerattention.runtime.cuda;

import org.jspecify.annotations.NullMarked;
