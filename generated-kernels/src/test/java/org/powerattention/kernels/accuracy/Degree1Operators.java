package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/**
 * Every head size and dtype of degree 1. The chunk is small, so that short sequences have several.
 */
@PowerAttention(
    degree = 1,
    headDim = 16,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D16Bf16")
@PowerAttention(
    degree = 1,
    headDim = 32,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D32Bf16")
@PowerAttention(
    degree = 1,
    headDim = 48,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D48Bf16")
@PowerAttention(
    degree = 1,
    headDim = 64,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D64Bf16")
@PowerAttention(
    degree = 1,
    headDim = 80,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D80Bf16")
@PowerAttention(
    degree = 1,
    headDim = 96,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D96Bf16")
@PowerAttention(
    degree = 1,
    headDim = 112,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D112Bf16")
@PowerAttention(
    degree = 1,
    headDim = 128,
    chunk = 64,
    dtype = DType.BF16,
    normalized = false,
    name = "P1D128Bf16")
@PowerAttention(
    degree = 1,
    headDim = 16,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D16Fp16")
@PowerAttention(
    degree = 1,
    headDim = 32,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D32Fp16")
@PowerAttention(
    degree = 1,
    headDim = 48,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D48Fp16")
@PowerAttention(
    degree = 1,
    headDim = 64,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D64Fp16")
@PowerAttention(
    degree = 1,
    headDim = 80,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D80Fp16")
@PowerAttention(
    degree = 1,
    headDim = 96,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D96Fp16")
@PowerAttention(
    degree = 1,
    headDim = 112,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D112Fp16")
@PowerAttention(
    degree = 1,
    headDim = 128,
    chunk = 64,
    dtype = DType.FP16,
    normalized = false,
    name = "P1D128Fp16")
@PowerAttention(
    degree = 1,
    headDim = 16,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D16Fp32")
@PowerAttention(
    degree = 1,
    headDim = 32,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D32Fp32")
@PowerAttention(
    degree = 1,
    headDim = 48,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D48Fp32")
@PowerAttention(
    degree = 1,
    headDim = 64,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D64Fp32")
@PowerAttention(
    degree = 1,
    headDim = 80,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D80Fp32")
@PowerAttention(
    degree = 1,
    headDim = 96,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D96Fp32")
@PowerAttention(
    degree = 1,
    headDim = 112,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D112Fp32")
@PowerAttention(
    degree = 1,
    headDim = 128,
    chunk = 64,
    dtype = DType.FP32,
    normalized = false,
    name = "P1D128Fp32")
interface Degree1Operators {}
