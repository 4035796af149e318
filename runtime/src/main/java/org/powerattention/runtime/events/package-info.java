/**
 * What the library tells Java Flight Recorder and NVIDIA's profilers. The events' names and fields
 * are what tools see, and stay as they are; the classes are not for users.
 */
@NullMarked
package org.powerattention.runtime.events;

import org.jspecify.annotations.NullMarked;
