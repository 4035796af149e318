/**
 * First stage: from the compiler's model to plain values, each with the place it was written at.
 */
@NullMarked
package org.powerattention.processor.read;

import org.jspecify.annotations.NullMarked;
