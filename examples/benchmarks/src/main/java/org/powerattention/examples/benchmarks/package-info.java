/** Times the catalogue's operators beside their peers on the same GPU, in one run. */
@NullMarked
package org.powerattention.examples.benchmarks;

import org.jspecify.annotations.NullMarked;
