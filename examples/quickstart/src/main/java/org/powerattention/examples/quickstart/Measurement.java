package org.powerattention.examples.quickstart;

/**
 * How well a memory recalled what it was given.
 *
 * @param memory its name
 * @param stored associations stored
 * @param recall share of the questions that were answered right, 0 to 1
 * @param bytes size of the memory with them stored
 * @param storedPerSecond associations stored in a second
 * @param answeredPerSecond questions answered in a second
 */
record Measurement(
    String memory,
    int stored,
    double recall,
    long bytes,
    double storedPerSecond,
    double answeredPerSecond) {}
