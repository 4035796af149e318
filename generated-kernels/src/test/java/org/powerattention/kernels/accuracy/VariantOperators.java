package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/** Operators without gates or without normalisation. */
@PowerAttention(
    degree = 1,
    headDim = 64,
    chunk = 128,
    gated = false,
    normalized = false,
    name = "P1D64Ungated")
@PowerAttention(degree = 2, headDim = 64, chunk = 64, gated = false, name = "P2D64Ungated")
@PowerAttention(
    degree = 2,
    headDim = 64,
    chunk = 320,
    normalized = false,
    name = "P2D64Unnormalized")
@PowerAttention(
    degree = 2,
    headDim = 80,
    chunk = 192,
    dtype = DType.FP16,
    gated = false,
    normalized = false,
    name = "P2D80Fp16Bare")
@PowerAttention(
    degree = 2,
    headDim = 48,
    chunk = 192,
    dtype = DType.FP32,
    gated = false,
    name = "P2D48Fp32Ungated")
@PowerAttention(
    degree = 3,
    headDim = 48,
    chunk = 192,
    gated = false,
    normalized = false,
    name = "P3D48Ungated")
@PowerAttention(
    degree = 4,
    headDim = 32,
    chunk = 256,
    normalized = false,
    name = "P4D32Unnormalized")
@PowerAttention(
    degree = 4,
    headDim = 16,
    chunk = 256,
    dtype = DType.FP32,
    normalized = false,
    name = "P4D16Fp32Unnormalized")
@PowerAttention(degree = 4, headDim = 32, chunk = 256, gated = false, name = "P4D32Ungated")
interface VariantOperators {}
