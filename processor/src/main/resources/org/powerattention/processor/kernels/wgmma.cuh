#pragma once
// One instruction of Hopper's own each: products of a warpgroup (four warps whose first is a
// multiple of four), bulk copies, and barriers in shared memory.
typedef unsigned long long uint64;

// Orders this thread's writes to shared memory, copies by copy_async_16 that it waited for among
// them, before reads by products and bulk copies of all threads behind the next barrier.
__device__ __forceinline__ void fence_async_reads() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// A barrier that completes when `arrivals` arrivals and all bytes announced have come.
__device__ __forceinline__ void barrier_init(uint64& barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)),
               "r"(arrivals)
               : "memory");
}

// Makes barriers visible to bulk copies.
__device__ __forceinline__ void barrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(uint64& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier))
               : "memory");
}

// Arrives, and announces bytes of bulk copies.
__device__ __forceinline__ void barrier_expect(uint64& barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(&barrier)),
               "r"(bytes)
               : "memory");
}

// Waits until the phase of this parity is complete; the first phase has parity 0.
__device__ __forceinline__ void barrier_wait(uint64& barrier, int parity) {
  uint32 complete = 0;
  while (!complete) {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(complete)
        : "r"(shared_address(&barrier)), "r"(parity)
        : "memory");
  }
}

// Copies bytes, a multiple of 16, to shared memory; they count at the barrier.
__device__ __forceinline__ void copy_bulk(
    void* target, const void* source, int bytes, uint64& barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(target)),
      "l"(source), "r"(bytes), "r"(shared_address(&barrier))
      : "memory");
}

// True in one lane of a warp.
__device__ __forceinline__ bool elect_lane() {
  uint32 elected;
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "elect.sync _|p, 0xffffffff;\n"
      "selp.u32 %0, 1, 0, p;\n"
      "}"
      : "=r"(elected));
  return elected != 0;
}

// Keeps a value in its register, where the compiler would compute it again at each use, and what is
// computed from it out of more registers, where it would keep that.
__device__ __forceinline__ void keep(int& value) { asm volatile("" : "+r"(value)); }

__device__ __forceinline__ void keep(uint32& value) { asm volatile("" : "+r"(value)); }

__device__ __forceinline__ void keep(float& value) { asm volatile("" : "+f"(value)); }

// Before the first product that reads registers written since.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

// Accumulators may be read from here on, behind a wait.
template <int kNumbers>
__device__ __forceinline__ void wgmma_results(float (&d)[kNumbers]) {
#pragma unroll
  for (int i = 0; i < kNumbers; i++) asm volatile("" : "+f"(d[i])::"memory");
}

// An operand in shared memory, see images.cuh. Only the low word depends on where it is.
struct Operand {
  uint32 low;
  uint32 high;

  // Further on in the same image, in units of 16 bytes.
  __device__ __forceinline__ Operand operator+(int distance) const {
    return Operand{low + distance, high};
  }
};

// Products of bf16. d = a b, or d += a b if `accumulate`: d [64 x 64] holds of rows g and g + 8 of
// a warp's 16, for every 8 columns, (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1), with g = lane / 4 and
// t = lane % 4. b [16 x 64] is in shared memory; rows of its image are columns of b, or if
// kTransposed, rows of b.

// a [64 x 16] is in shared memory too.
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
