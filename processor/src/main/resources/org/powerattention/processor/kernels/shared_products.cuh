#pragma once
// An operand of a product in shared memory: in units of 16 bytes, where it begins, and two distances
// whose meaning depends on its layout; where that is core matrices, between those that follow one
// another along the summed dimension and along the other. Only the low word depends on the place.
struct Operand {
  uint32 low;
  uint32 high;

  // Further on in the same matrix, in units of 16 bytes.
  __device__ __forceinline__ Operand operator+(int distance) const {
    return Operand{low + distance, high};
  }

  __device__ __forceinline__ uint64 packed() const { return (uint64)high << 32 | low; }
};

__device__ __forceinline__ Operand operand(const element* matrix, uint32 first, uint32 second) {
  return Operand{shared_address(matrix) >> 4 | first << 16, second};
}

// d = a b, or d += a b if `accumulate`, of bf16 in shared memory: a [64 x 16] and b [16 x 64], rows of
// whose matrix are columns of b. d holds of rows g and g + 8 of a warp's 16, for every 8 columns,
// (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1), with g = lane / 4 and t = lane % 4.
__device__ __forceinline__ void wgmma_shared(
    float (&d)[32], Operand a, Operand b, bool accumulate) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      ".reg .b64 a, b;\n"
      "setp.ne.b32 p, %36, 0;\n"
      "mov.b64 a, {%32, %33};\n"
      "mov.b64 b, {%34, %35};\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "a, b, p, 1, 1, 0, 0;\n"
      "}"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "r"(a.low), "r"(a.high), "r"(b.low), "r"(b.high), "r"((int)accumulate));
}

__device__ __forceinline__ void wgmma_shared_begin(
    float (&d)[32], Operand a, Operand b, bool accumulate) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      ".reg .b64 a, b;\n"
      "setp.ne.b32 p, %36, 0;\n"
      "mov.b64 a, {%32, %33};\n"
      "mov.b64 b, {%34, %35};\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "a, b, p, 1, 1, 0, 0;\n"
      "}"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3]), "=f"(d[4]), "=f"(d[5]), "=f"(d[6]),
        "=f"(d[7]), "=f"(d[8]), "=f"(d[9]), "=f"(d[10]), "=f"(d[11]), "=f"(d[12]), "=f"(d[13]),
        "=f"(d[14]), "=f"(d[15]), "=f"(d[16]), "=f"(d[17]), "=f"(d[18]), "=f"(d[19]), "=f"(d[20]),
        "=f"(d[21]), "=f"(d[22]), "=f"(d[23]), "=f"(d[24]), "=f"(d[25]), "=f"(d[26]), "=f"(d[27]),
        "=f"(d[28]), "=f"(d[29]), "=f"(d[30]), "=f"(d[31])
      : "r"(a.low), "r"(a.high), "r"(b.low), "r"(b.high), "r"((int)accumulate));
}
