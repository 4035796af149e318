/** Errors of generated operators, measured against the defining formula in fp64. */
@NullMarked
package org.powerattention.kernels.accuracy;

import org.jspecify.annotations.NullMarked;
