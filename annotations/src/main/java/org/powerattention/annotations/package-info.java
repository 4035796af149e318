/**
 * What a user declares and what it means: the {@link
 * org.powerattention.annotations.PowerAttention @PowerAttention} annotation, and the {@link
 * org.powerattention.annotations.KernelSpec} it denotes, the one place that knows the size of the
 * feature map, its tiles and the cost of both forms of the computation. Pure Java, no dependencies.
 */
@NullMarked
package org.powerattention.annotations;

import org.jspecify.annotations.NullMarked;
