/**
 * First stage: turns annotations, as the compiler presents them, into plain values, and remembers
 * where each was written.
 */
@NullMarked
package org.powerattention.processor.read;

import org.jspecify.annotations.NullMarked;
