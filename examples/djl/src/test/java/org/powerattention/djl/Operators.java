package org.powerattention.djl;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/** The operators under test, with chunks so short that both forms are met. */
@PowerAttention(name = "Gated2", degree = 2, headDim = 16, chunk = 64, dtype = DType.FP32)
@PowerAttention(
    name = "Ungated2",
    degree = 2,
    headDim = 16,
    chunk = 64,
    dtype = DType.FP32,
    gated = false)
@PowerAttention(
    name = "Gated1",
    degree = 1,
    headDim = 16,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false)
@PowerAttention(name = "Rounded2", degree = 2, headDim = 16, chunk = 64, dtype = DType.BF16)
interface Operators {}
