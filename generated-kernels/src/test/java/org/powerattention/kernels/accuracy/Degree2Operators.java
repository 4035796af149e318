package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/**
 * Every head size and dtype of degree 2. The chunk is small, so that short sequences have several.
 */
@PowerAttention(degree = 2, headDim = 16, chunk = 192, dtype = DType.BF16, name = "P2D16Bf16")
@PowerAttention(degree = 2, headDim = 32, chunk = 192, dtype = DType.BF16, name = "P2D32Bf16")
@PowerAttention(degree = 2, headDim = 48, chunk = 192, dtype = DType.BF16, name = "P2D48Bf16")
@PowerAttention(degree = 2, headDim = 64, chunk = 192, dtype = DType.BF16, name = "P2D64Bf16")
@PowerAttention(degree = 2, headDim = 80, chunk = 192, dtype = DType.BF16, name = "P2D80Bf16")
@PowerAttention(degree = 2, headDim = 96, chunk = 192, dtype = DType.BF16, name = "P2D96Bf16")
@PowerAttention(degree = 2, headDim = 112, chunk = 192, dtype = DType.BF16, name = "P2D112Bf16")
@PowerAttention(degree = 2, headDim = 128, chunk = 192, dtype = DType.BF16, name = "P2D128Bf16")
@PowerAttention(degree = 2, headDim = 16, chunk = 192, dtype = DType.FP16, name = "P2D16Fp16")
@PowerAttention(degree = 2, headDim = 32, chunk = 192, dtype = DType.FP16, name = "P2D32Fp16")
@PowerAttention(degree = 2, headDim = 48, chunk = 192, dtype = DType.FP16, name = "P2D48Fp16")
@PowerAttention(degree = 2, headDim = 64, chunk = 192, dtype = DType.FP16, name = "P2D64Fp16")
@PowerAttention(degree = 2, headDim = 80, chunk = 192, dtype = DType.FP16, name = "P2D80Fp16")
@PowerAttention(degree = 2, headDim = 96, chunk = 192, dtype = DType.FP16, name = "P2D96Fp16")
@PowerAttention(degree = 2, headDim = 112, chunk = 192, dtype = DType.FP16, name = "P2D112Fp16")
@PowerAttention(degree = 2, headDim = 128, chunk = 192, dtype = DType.FP16, name = "P2D128Fp16")
@PowerAttention(degree = 2, headDim = 16, chunk = 192, dtype = DType.FP32, name = "P2D16Fp32")
@PowerAttention(degree = 2, headDim = 32, chunk = 192, dtype = DType.FP32, name = "P2D32Fp32")
@PowerAttention(degree = 2, headDim = 48, chunk = 192, dtype = DType.FP32, name = "P2D48Fp32")
@PowerAttention(degree = 2, headDim = 64, chunk = 192, dtype = DType.FP32, name = "P2D64Fp32")
@PowerAttention(degree = 2, headDim = 80, chunk = 192, dtype = DType.FP32, name = "P2D80Fp32")
@PowerAttention(degree = 2, headDim = 96, chunk = 192, dtype = DType.FP32, name = "P2D96Fp32")
@PowerAttention(degree = 2, headDim = 112, chunk = 192, dtype = DType.FP32, name = "P2D112Fp32")
@PowerAttention(degree = 2, headDim = 128, chunk = 192, dtype = DType.FP32, name = "P2D128Fp32")
interface Degree2Operators {}
