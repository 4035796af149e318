package org.powerattention.runtime;

/** The two forms of the computation. They give the same result up to rounding. */
public enum Form {
  /** Whichever takes fewer FLOPs at the call's number of tokens. */
  AUTOMATIC,
  /** All pairs of tokens, O(t^2 d). */
  ATTENTION,
  /** A state carried across chunks, O(t D d). */
  CHUNKED
}
