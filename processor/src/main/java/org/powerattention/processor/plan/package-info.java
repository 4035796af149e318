/**
 * Third stage: what a spec's kernels look like on an architecture family: tile sizes, threads and
 * shared memory. The one place for tuning choices.
 */
@NullMarked
package org.powerattention.processor.plan;

import org.jspecify.annotations.NullMarked;
