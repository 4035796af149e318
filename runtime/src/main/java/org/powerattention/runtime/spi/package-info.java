/**
 * The seam between the public classes and the backends: the public classes check every argument and
 * describe a call as plain values; a backend carries it out.
 */
@NullMarked
package org.powerattention.runtime.spi;

import org.jspecify.annotations.NullMarked;
