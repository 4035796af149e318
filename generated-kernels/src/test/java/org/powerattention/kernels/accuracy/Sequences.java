package org.powerattention.kernels.accuracy;

import java.util.SplittableRandom;

/**
 * Inputs of a call on the host, all row-major and contiguous.
 *
 * @param batch sequences b
 * @param tokens tokens t
 * @param queryHeads query heads hq
 * @param keyHeads key/value heads h
 * @param headDim head size d
 * @param q [b, t, hq, d]
 * @param k [b, t, h, d]
 * @param v [b, t, h, d]
 * @param logG [b, t, h]
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier, never compared
record Sequences(
    int batch,
    int tokens,
    int queryHeads,
    int keyHeads,
    int headDim,
    float[] q,
    float[] k,
    float[] v,
    float[] logG) {
  /** Returns inputs whose elements have mean 0 and variance 1. */
  static Sequences random(
      int batch, int tokens, int queryHeads, int keyHeads, int headDim, Gates gates, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int rows = batch * tokens;
    float[] logG = new float[rows * keyHeads];
    for (int i = 0; i < logG.length; i++) {
      logG[i] = gates.at(random.nextDouble());
    }
    return new Sequences(
        batch,
        tokens,
        queryHeads,
        keyHeads,
        headDim,
        bellShaped(rows * queryHeads * headDim, random),
        bellShaped(rows * keyHeads * headDim, random),
        bellShaped(rows * keyHeads * headDim, random),
        logG);
  }

  /** Returns these with other queries, keys and values, such as those that a dtype can hold. */
  Sequences with(float[] newQ, float[] newK, float[] newV) {
    return new Sequences(batch, tokens, queryHeads, keyHeads, headDim, newQ, newK, newV, logG);
  }

  /** Sums of four uniform numbers each, scaled to variance 1: close to normal, and cheap. */
  private static float[] bellShaped(int count, SplittableRandom random) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      long bits = random.nextLong();
      int sum = 0;
      for (int part = 0; part < 4; part++) {
        sum += (int) (bits >>> 16 * part & 0xffff);
      }
      values[i] = (float) ((sum / 65535.0 - 2) * Math.sqrt(3));
    }
    return values;
  }

  /** Returns the index of the first element of a key's or value's row. */
  int keyRow(int sequence, int token, int head) {
    return ((sequence * tokens + token) * keyHeads + head) * headDim;
  }

  /** Returns the index of the first element of a query's or output's row. */
  int queryRow(int sequence, int token, int head) {
    return ((sequence * tokens + token) * queryHeads + head) * headDim;
  }

  /** Returns G [t], the inclusive sums of a head's log gates. */
  double[] gateSums(int sequence, int head) {
    double[] sums = new double[tokens];
    double sum = 0;
    for (int token = 0; token < tokens; token++) {
      sum += logG[(sequence * tokens + token) * keyHeads + head];
      sums[token] = sum;
    }
    return sums;
  }
}
