package org.powerattention.runtime.spi;

/**
 * The sizes of a call that is not packed.
 *
 * @param batch number of sequences b
 * @param tokens tokens per sequence t
 * @param queryHeads query heads hq
 * @param keyHeads key/value heads h
 */
public record CallShape(int batch, int tokens, int queryHeads, int keyHeads) {}
