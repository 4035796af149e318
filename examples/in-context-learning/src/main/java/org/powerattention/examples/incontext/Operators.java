package org.powerattention.examples.incontext;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/** The operators of the arms with a state, in two head sizes. */
@PowerAttention(
    name = "SmallPower",
    degree = 2,
    headDim = Operators.SMALL,
    chunk = 128,
    dtype = DType.FP32)
@PowerAttention(
    name = "SmallLinear",
    degree = 1,
    headDim = Operators.SMALL,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false)
@PowerAttention(name = "LargePower", degree = 2, headDim = Operators.LARGE, dtype = DType.FP32)
@PowerAttention(
    name = "LargeLinear",
    degree = 1,
    headDim = Operators.LARGE,
    dtype = DType.FP32,
    normalized = false)
interface Operators {
  /** Head size of the small operators. */
  int SMALL = 16;

  /** Head size of the large ones. */
  int LARGE = 32;
}
