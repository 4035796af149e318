/** Second stage: a declaration becomes an operator, or one diagnostic for each of its mistakes. */
@NullMarked
package org.powerattention.processor.validate;

import org.jspecify.annotations.NullMarked;
