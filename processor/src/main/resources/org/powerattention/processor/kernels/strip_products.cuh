#pragma once
// Products of bf16. d = a b, or d += a b if `accumulate`: d [64 x 64] holds of rows g and g + 8 of
// a warp's 16, for every 8 columns, (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1), with g = lane / 4 and
// t = lane % 4. b [16 x 64] is in shared memory; rows of its image are columns of b, or if
// kTransposed, rows of b.

// a is in registers: pairs (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8) of a warp's 16 rows, which
// may not be written before wgmma_wait.
template <bool kTransposed>
__device__ __forceinline__ void wgmma_registers(
    float (&d)[32], const uint32 (&a)[4], Operand b, bool accumulate) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      ".reg .b64 b;\n"
      "setp.ne.b32 p, %38, 0;\n"
      "mov.b64 b, {%36, %37};\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, b, p, 1, 1, %39;\n"
      "}"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.low), "r"(b.high),
        "r"((int)accumulate), "n"((int)kTransposed));
}

#if STRIP == 32
// The same for 32 columns.
template <bool kTransposed>
__device__ __forceinline__ void wgmma_registers(
    float (&d)[16], const uint32 (&a)[4], Operand b, bool accumulate) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      ".reg .b64 b;\n"
      "setp.ne.b32 p, %22, 0;\n"
      "mov.b64 b, {%20, %21};\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
      "{%16, %17, %18, %19}, b, p, 1, 1, %23;\n"
      "}"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.low), "r"(b.high),
        "r"((int)accumulate), "n"((int)kTransposed));
}
#elif STRIP == 16
// The same for 16 columns.
template <bool kTransposed>
__device__ __forceinline__ void wgmma_registers(
    float (&d)[8], const uint32 (&a)[4], Operand b, bool accumulate) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      ".reg .b64 b;\n"
      "setp.ne.b32 p, %14, 0;\n"
      "mov.b64 b, {%12, %13};\n"
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7}, {%8, %9, %10, %11}, b, p, 1, 1, %15;\n"
      "}"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.low), "r"(b.high),
        "r"((int)accumulate), "n"((int)kTransposed));
}
#endif
