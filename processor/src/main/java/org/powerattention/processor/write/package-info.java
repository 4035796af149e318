/** Last stage: composes the CUDA sources and the launcher, and hands them to the compiler. */
@NullMarked
package org.powerattention.processor.write;

import org.jspecify.annotations.NullMarked;
