/**
 * Power attention as a layer for Deep Java Library (DJL) and its PyTorch engine.
 *
 * <p>{@link org.powerattention.djl.PowerAttentionBlock} is the layer, over any generated launcher;
 * {@link org.powerattention.djl.PowerAttentionTrainer} trains models that have it; {@link
 * org.powerattention.djl.AttentionMemory} is what such a model remembers while it generates.
 */
@NullMarked
package org.powerattention.djl;

import org.jspecify.annotations.NullMarked;
