package org.powerattention.processor.validate;

import org.powerattention.processor.read.Place;

/** Takes diagnostics to the compiler. */
@FunctionalInterface
public interface Reporter {
  /** Reports an error. */
  void report(Diagnostic diagnostic, Place place, Object... arguments);
}
