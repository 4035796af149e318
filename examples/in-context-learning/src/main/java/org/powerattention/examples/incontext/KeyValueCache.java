package org.powerattention.examples.incontext;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/**
 * Keys and values of all tokens of one sequence so far, [1, heads, t, d] each, in room set aside.
 */
final class KeyValueCache {
  private final NDArray keys;
  private final NDArray values;
  private int tokens;

  KeyValueCache(NDManager manager, int heads, int capacity, int headDim) {
    Shape shape = new Shape(1, heads, capacity, headDim);
    this.keys = manager.zeros(shape, DataType.FLOAT32);
    this.values = manager.zeros(shape, DataType.FLOAT32);
  }

  /** Returns how many tokens it holds. */
  int tokens() {
    return tokens;
  }

  /** Adds tokens and returns the keys and values of all. */
  NDList append(NDArray newKeys, NDArray newValues) {
    int end = tokens + Math.toIntExact(newKeys.getShape().get(2));
    NDIndex place = new NDIndex(":, :, {}:{}", tokens, end);
    keys.set(place, newKeys);
    values.set(place, newValues);
    tokens = end;
    NDIndex all = new NDIndex(":, :, :{}", end);
    NDList result = new NDList(keys.get(all), values.get(all));
    result.attach(newKeys.getManager());
    return result;
  }
}
