package org.powerattention.examples.incontext;

/**
 * A point of a learning curve.
 *
 * @param step optimiser steps taken
 * @param seconds spent on them, evaluation left out
 * @param cpuSeconds of all threads of the process, spent on them
 * @param loss on documents that training has not seen, in nats
 */
record Curve(int step, double seconds, double cpuSeconds, double loss) {}
