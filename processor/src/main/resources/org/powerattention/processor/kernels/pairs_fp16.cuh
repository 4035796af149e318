#pragma once
// A Pair is two neighbouring elements along the summed dimension of a product on tensor cores, in
// the precision of that product. Powers and states leave the range of fp16, so for FP16 it is two
// TF32 numbers: fp16's significand with fp32's exponent.
struct Pair {
  float low;
  float high;
};

// Rounds to TF32, nearest.
__device__ __forceinline__ float tf32_of(float value) {
  uint32 bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return __uint_as_float(bits);
}

__device__ __forceinline__ Pair pair_of(float low, float high) {
  return Pair{tf32_of(low), tf32_of(high)};
}

__device__ __forceinline__ float float_of(element bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

// Exact: TF32 holds every fp16.
__device__ __forceinline__ Pair pair_of(TwoElements elements) {
  return Pair{float_of((element)(elements & 0xffff)), float_of((element)(elements >> 16))};
}

__device__ __forceinline__ Pair both_low(TwoElements elements) {
  const float value = float_of((element)(elements & 0xffff));
  return Pair{value, value};
}

__device__ __forceinline__ Pair both_high(TwoElements elements) {
  const float value = float_of((element)(elements >> 16));
  return Pair{value, value};
}

__device__ __forceinline__ Pair feature_times(Pair a, Pair b) {
  return Pair{a.low * b.low, a.high * b.high};
}

// A product that is an operand of the tensor core: rounded to TF32.
__device__ __forceinline__ Pair operand_times(Pair a, Pair b) {
  return pair_of(a.low * b.low, a.high * b.high);
}

__device__ __forceinline__ float low_of(Pair pair) { return pair.low; }

__device__ __forceinline__ float high_of(Pair pair) { return pair.high; }

// c [16 x 8] += a [16 x 16] b [16 x 8] with the operand layout of mma_16. The summed index may be
// taken in any order, the same for a and b: element 2t is TF32's index t, element 2t+1 its t+4.
__device__ __forceinline__ void multiply_add(float (&c)[4], const Pair (&a)[4], Pair b0, Pair b1) {
  mma_tf32(c, a[0].low, a[1].low, a[0].high, a[1].high, b0.low, b0.high);
  mma_tf32(c, a[2].low, a[3].low, a[2].high, a[3].high, b1.low, b1.high);
}

__device__ __forceinline__ element element_of(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

__device__ __forceinline__ TwoElements elements_of(float low, float high) {
  return (uint32)element_of(low) | (uint32)element_of(high) << 16;
}
