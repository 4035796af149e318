package org.powerattention.runtime.spi;

/**
 * The sizes of a call.
 *
 * @param batch number of sequences b
 * @param tokens tokens per sequence t; of packed sequences, those of the longest
 * @param queryHeads query heads hq
 * @param keyHeads key/value heads h
 */
public record CallShape(int batch, int tokens, int queryHeads, int keyHeads) {}
