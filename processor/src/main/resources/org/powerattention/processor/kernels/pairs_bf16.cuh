#pragma once
// A Pair is two neighbouring elements along the summed dimension of a product on tensor cores, in
// the precision of that product: for BF16, two bf16 in one register.
typedef uint32 Pair;

__device__ __forceinline__ Pair pair_of(float low, float high) {
  Pair pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ __forceinline__ Pair pair_of(TwoElements elements) { return elements; }

// Written so that a product takes it as a choice of its operand's halves, without an instruction more.
__device__ __forceinline__ Pair both_low(TwoElements elements) {
  Pair both;
  asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; mov.b32 %0, {low, low};}"
      : "=r"(both)
      : "r"(elements));
  return both;
}

__device__ __forceinline__ Pair both_high(TwoElements elements) {
  Pair both;
  asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; mov.b32 %0, {high, high};}"
      : "=r"(both)
      : "r"(elements));
  return both;
}

// A product is a fused multiply-add with -0: sm_80 has no bf16 multiplication.
__device__ __forceinline__ Pair feature_times(Pair a, Pair b) {
  Pair product;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
  return product;
}

// A product that is an operand of the tensor core: already rounded.
__device__ __forceinline__ Pair operand_times(Pair a, Pair b) { return feature_times(a, b); }

__device__ __forceinline__ float low_of(Pair pair) { return __uint_as_float(pair << 16); }

__device__ __forceinline__ float high_of(Pair pair) { return __uint_as_float(pair & 0xffff0000u); }

// c += a b, see mma_16.
__device__ __forceinline__ void multiply_add(float (&c)[4], const Pair (&a)[4], Pair b0, Pair b1) {
  mma_16(c, a, b0, b1);
}

__device__ __forceinline__ element element_of(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

__device__ __forceinline__ float float_of(element bits) {
  return __uint_as_float((uint32)bits << 16);
}

__device__ __forceinline__ TwoElements elements_of(float low, float high) { return pair_of(low, high); }
