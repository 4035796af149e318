/**
 * What generated launchers and their users touch: devices ({@link
 * org.powerattention.runtime.Accelerator}), tensors with a lifetime, streams, and the operator that
 * checks arguments and hands them to the device's backend.
 */
@NullMarked
package org.powerattention.runtime;

import org.jspecify.annotations.NullMarked;
