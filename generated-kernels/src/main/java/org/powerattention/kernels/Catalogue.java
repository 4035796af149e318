package org.powerattention.kernels;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/** The declarations of the catalogue; the package's documentation lists their launchers. */
@PowerAttention(degree = 1, headDim = 32, normalized = false, name = "Power1Dim32")
@PowerAttention(degree = 1, headDim = 64, normalized = false, name = "Power1Dim64")
@PowerAttention(degree = 1, headDim = 128, normalized = false, name = "Power1Dim128")
@PowerAttention(degree = 2, headDim = 32, name = "Power2Dim32")
@PowerAttention(degree = 2, headDim = 64, name = "Power2Dim64")
@PowerAttention(degree = 2, headDim = 128, name = "Power2Dim128")
@PowerAttention(degree = 3, headDim = 32, normalized = false, name = "Power3Dim32")
@PowerAttention(degree = 3, headDim = 64, normalized = false, name = "Power3Dim64")
@PowerAttention(degree = 3, headDim = 128, normalized = false, name = "Power3Dim128")
@PowerAttention(degree = 4, headDim = 32, name = "Power4Dim32")
@PowerAttention(degree = 4, headDim = 64, name = "Power4Dim64")
@PowerAttention(degree = 2, headDim = 64, dtype = DType.FP16, name = "Power2Dim64Fp16")
@PowerAttention(degree = 2, headDim = 128, dtype = DType.FP16, name = "Power2Dim128Fp16")
@PowerAttention(degree = 2, headDim = 64, dtype = DType.FP32, name = "Power2Dim64Fp32")
@PowerAttention(degree = 2, headDim = 128, dtype = DType.FP32, name = "Power2Dim128Fp32")
@PowerAttention(degree = 2, headDim = 64, gated = false, name = "Power2Dim64Ungated")
@PowerAttention(degree = 2, headDim = 128, gated = false, name = "Power2Dim128Ungated")
public interface Catalogue {}
