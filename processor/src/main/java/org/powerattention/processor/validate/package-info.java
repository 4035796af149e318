/**
 * Second stage: turns what was declared into operators that can be generated, or into errors from
 * one catalogue, {@link org.powerattention.processor.validate.Problem}.
 */
@NullMarked
package org.powerattention.processor.validate;

import org.jspecify.annotations.NullMarked;
