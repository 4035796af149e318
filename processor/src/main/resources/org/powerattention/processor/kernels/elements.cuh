#pragma once
// Neighbouring elements in one register or word.

#if FP32
typedef float2 TwoElements;
struct FourElements {
  TwoElements x;
  TwoElements y;
};

__device__ __forceinline__ TwoElements load_two(const element* first) {
  return *reinterpret_cast<const float2*>(first);
}

__device__ __forceinline__ FourElements load_four(const element* first) {
  const float4 four = *reinterpret_cast<const float4*>(first);
  return FourElements{make_float2(four.x, four.y), make_float2(four.z, four.w)};
}
#else
typedef uint32 TwoElements;
typedef uint2 FourElements;

__device__ __forceinline__ TwoElements load_two(const element* first) {
  return *reinterpret_cast<const uint32*>(first);
}

__device__ __forceinline__ FourElements load_four(const element* first) {
  return *reinterpret_cast<const uint2*>(first);
}
#endif
