package org.powerattention.kernels.accuracy;

import org.powerattention.annotations.DType;
import org.powerattention.annotations.PowerAttention;

/**
 * Every head size and dtype of degree 4, up to the greatest state. The chunk is small, so that
 * short sequences have several.
 */
@PowerAttention(degree = 4, headDim = 16, chunk = 512, dtype = DType.BF16, name = "P4D16Bf16")
@PowerAttention(degree = 4, headDim = 32, chunk = 512, dtype = DType.BF16, name = "P4D32Bf16")
@PowerAttention(degree = 4, headDim = 48, chunk = 512, dtype = DType.BF16, name = "P4D48Bf16")
@PowerAttention(degree = 4, headDim = 64, chunk = 512, dtype = DType.BF16, name = "P4D64Bf16")
@PowerAttention(degree = 4, headDim = 80, chunk = 512, dtype = DType.BF16, name = "P4D80Bf16")
@PowerAttention(degree = 4, headDim = 16, chunk = 512, dtype = DType.FP16, name = "P4D16Fp16")
@PowerAttention(degree = 4, headDim = 32, chunk = 512, dtype = DType.FP16, name = "P4D32Fp16")
@PowerAttention(degree = 4, headDim = 48, chunk = 512, dtype = DType.FP16, name = "P4D48Fp16")
@PowerAttention(degree = 4, headDim = 64, chunk = 512, dtype = DType.FP16, name = "P4D64Fp16")
@PowerAttention(degree = 4, headDim = 80, chunk = 512, dtype = DType.FP16, name = "P4D80Fp16")
@PowerAttention(degree = 4, headDim = 16, chunk = 512, dtype = DType.FP32, name = "P4D16Fp32")
@PowerAttention(degree = 4, headDim = 32, chunk = 512, dtype = DType.FP32, name = "P4D32Fp32")
@PowerAttention(degree = 4, headDim = 48, chunk = 512, dtype = DType.FP32, name = "P4D48Fp32")
@PowerAttention(degree = 4, headDim = 64, chunk = 512, dtype = DType.FP32, name = "P4D64Fp32")
@PowerAttention(degree = 4, headDim = 80, chunk = 512, dtype = DType.FP32, name = "P4D80Fp32")
interface Degree4Operators {}
