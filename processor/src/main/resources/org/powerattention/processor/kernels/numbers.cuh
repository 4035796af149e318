#pragma once
// Conversions between elements and floats.

__device__ __forceinline__ float float_of(element value) {
#if BF16
  return __uint_as_float((uint32)value << 16);
#elif FP16
  float number;
  asm("cvt.f32.f16 %0, %1;" : "=f"(number) : "h"(value));
  return number;
#else
  return value;
#endif
}

__device__ __forceinline__ element element_of(float value) {
#if BF16
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#elif FP16
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  return value;
#endif
}

// Four neighbouring elements.
struct __align__(4 * sizeof(element)) Quad {
  element of[4];
};

// Reads four elements, at once where the address allows it.
__device__ __forceinline__ Quad load_quad(const element* source, bool aligned) {
  if (aligned) return *reinterpret_cast<const Quad*>(source);
  Quad quad;
  for (int i = 0; i < 4; i++) quad.of[i] = source[i];
  return quad;
}

__device__ __forceinline__ float4 floats_of(const Quad& quad) {
  return make_float4(float_of(quad.of[0]), float_of(quad.of[1]), float_of(quad.of[2]),
                     float_of(quad.of[3]));
}

// Whether four elements at a multiple of four from the start of any row can be read at once.
__device__ __forceinline__ bool is_aligned(const element* base, const Strides& strides) {
  const int64 bits = reinterpret_cast<int64>(base) |
                     (strides.batch | strides.token | strides.head) * (int64)sizeof(element);
  return bits % (int64)sizeof(Quad) == 0;
}
