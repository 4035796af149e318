#pragma once
// A Pair is two neighbouring elements along the summed dimension of a product on tensor cores, in
// the precision of that product. For FP32 it is two floats, each of which the product takes as the
// sum of two TF32 numbers.
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

__device__ __forceinline__ Pair pair_of(float low, float high) { return Pair{low, high}; }

__device__ __forceinline__ Pair pair_of(TwoElements elements) {
  return Pair{elements.x, elements.y};
}

__device__ __forceinline__ Pair both_low(TwoElements elements) {
  return Pair{elements.x, elements.x};
}

__device__ __forceinline__ Pair both_high(TwoElements elements) {
  return Pair{elements.y, elements.y};
}

__device__ __forceinline__ Pair both_low(element value) { return Pair{value, value}; }

__device__ __forceinline__ Pair feature_times(Pair a, Pair b) {
  return Pair{a.low * b.low, a.high * b.high};
}

__device__ __forceinline__ Pair operand_times(Pair a, Pair b) { return feature_times(a, b); }

__device__ __forceinline__ float low_of(Pair pair) { return pair.low; }

__device__ __forceinline__ float high_of(Pair pair) { return pair.high; }

// c [16 x 8] += a [16 x 8] b [8 x 8] of floats, as three products of their TF32 parts; the fourth is
// below fp32's own rounding.
__device__ __forceinline__ void multiply_add_8(
    float (&c)[4], float a0, float a1, float a2, float a3, float b0, float b1) {
  const float a[4] = {tf32_of(a0), tf32_of(a1), tf32_of(a2), tf32_of(a3)};
  const float b[2] = {tf32_of(b0), tf32_of(b1)};
  mma_tf32(c, tf32_of(a0 - a[0]), tf32_of(a1 - a[1]), tf32_of(a2 - a[2]), tf32_of(a3 - a[3]), b[0],
           b[1]);
  mma_tf32(c, a[0], a[1], a[2], a[3], tf32_of(b0 - b[0]), tf32_of(b1 - b[1]));
  mma_tf32(c, a[0], a[1], a[2], a[3], b[0], b[1]);
}

// c [16 x 8] += a [16 x 16] b [16 x 8]. With g = lane / 4, t = lane % 4: c holds (g, 2t), (g, 2t+1),
// (g+8, 2t), (g+8, 2t+1); a pairs (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8); b pairs (2t, g),
// (2t+8, g). The summed index may be taken in any order, the same for a and b: element 2t is TF32's
// index t, element 2t+1 its t+4. Each product is summed apart and then added: tensor cores cut off
// what does not fit an accumulator, which would pull long sums towards zero.
__device__ __forceinline__ void multiply_add(float (&c)[4], const Pair (&a)[4], Pair b0, Pair b1) {
  float product[4] = {};
  multiply_add_8(product, a[0].low, a[1].low, a[0].high, a[1].high, b0.low, b0.high);
  multiply_add_8(product, a[2].low, a[3].low, a[2].high, a[3].high, b1.low, b1.high);
  for (int i = 0; i < 4; i++) c[i] += product[i];
}

__device__ __forceinline__ element element_of(float value) { return value; }

__device__ __forceinline__ float float_of(element value) { return value; }

__device__ __forceinline__ TwoElements elements_of(float low, float high) {
  return make_float2(low, high);
}
