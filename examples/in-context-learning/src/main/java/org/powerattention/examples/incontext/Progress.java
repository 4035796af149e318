package org.powerattention.examples.incontext;

/** Is told how training goes on. */
interface Progress {
  /** A step has been taken; its loss is in nats. */
  void step(String run, double loss);
}
