package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/**
 * Every head size and dtype of degree 3. The chunk is small, so that short sequences have several.
 */
@PowerAttention(
    degree = 3,
    headDim = 16,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D16Bf16")
@PowerAttention(
    degree = 3,
    headDim = 32,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D32Bf16")
@PowerAttention(
    degree = 3,
    headDim = 48,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D48Bf16")
@PowerAttention(
    degree = 3,
    headDim = 64,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D64Bf16")
@PowerAttention(
    degree = 3,
    headDim = 80,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D80Bf16")
@PowerAttention(
    degree = 3,
    headDim = 96,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D96Bf16")
@PowerAttention(
    degree = 3,
    headDim = 112,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D112Bf16")
@PowerAttention(
    degree = 3,
    headDim = 128,
    chunk = 256,
    dtype = DType.BF16,
    normalized = false,
    name = "P3D128Bf16")
@PowerAttention(
    degree = 3,
    headDim = 16,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D16Fp16")
@PowerAttention(
    degree = 3,
    headDim = 32,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D32Fp16")
@PowerAttention(
    degree = 3,
    headDim = 48,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D48Fp16")
@PowerAttention(
    degree = 3,
    headDim = 64,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D64Fp16")
@PowerAttention(
    degree = 3,
    headDim = 80,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D80Fp16")
@PowerAttention(
    degree = 3,
    headDim = 96,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D96Fp16")
@PowerAttention(
    degree = 3,
    headDim = 112,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D112Fp16")
@PowerAttention(
    degree = 3,
    headDim = 128,
    chunk = 256,
    dtype = DType.FP16,
    normalized = false,
    name = "P3D128Fp16")
@PowerAttention(
    degree = 3,
    headDim = 16,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D16Fp32")
@PowerAttention(
    degree = 3,
    headDim = 32,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D32Fp32")
@PowerAttention(
    degree = 3,
    headDim = 48,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D48Fp32")
@PowerAttention(
    degree = 3,
    headDim = 64,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D64Fp32")
@PowerAttention(
    degree = 3,
    headDim = 80,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D80Fp32")
@PowerAttention(
    degree = 3,
    headDim = 96,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D96Fp32")
@PowerAttention(
    degree = 3,
    headDim = 112,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D112Fp32")
@PowerAttention(
    degree = 3,
    headDim = 128,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P3D128Fp32")
interface Degree3Operators {}
