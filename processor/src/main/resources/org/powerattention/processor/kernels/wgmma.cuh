#pragma once
// Hopper's asynchronous copies and products, one PTX instruction each where no more is said.

typedef unsigned long long uint64;

constexpr int kGroup = 128;  // threads of a warpgroup

// Barriers in shared memory. A phase of a barrier is complete when as many threads as it was made
// for have arrived and all bytes that they announced are copied; phases alternate in parity.
__device__ __forceinline__ void barrier_init(uint64* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}

// Makes the barriers of a block known to asynchronous copies; before the first __syncthreads.
__device__ __forceinline__ void barrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(uint64* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}

// Arrives, and announces bytes that are to be copied.
__device__ __forceinline__ void barrier_arrive(uint64* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(barrier)),
               "r"(bytes)
               : "memory");
}

// Arrives as soon as the copies that this thread has started are there.
__device__ __forceinline__ void barrier_arrive_when_copied(uint64* barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(
                   shared_address(barrier))
               : "memory");
}

// Waits until the phase of this parity is complete: that before the first counts as one of parity 1.
__device__ __forceinline__ void barrier_wait(uint64* barrier, int parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra complete;\n"
      "bra again;\n"
      "complete:\n"
      "}\n" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// Waits for all threads of a group of warps that call this with the same number, from 1 on.
__device__ __forceinline__ void group_sync(int number, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
}

// Copies a piece of global memory, a multiple of 16 bytes, on behalf of a barrier.
__device__ __forceinline__ void copy_bulk(
    void* target, const void* source, int bytes, uint64* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(target)),
      "l"(source), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

// Lets tensor cores see what has been written to shared memory as this thread knows from a barrier.
// It waits for all memory accesses of the thread: those that bring operands leave it to those that
// multiply.
__device__ __forceinline__ void fence_shared() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Starts a run of products, behind all writes to their registers.
__device__ __forceinline__ void products_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void products_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until only the latest kPending committed runs of products are under way.
template <int kPending>
__device__ __forceinline__ void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Keeps the compiler from moving uses of accumulators past a wait.
template <int kNumbers>
__device__ __forceinline__ void products_done(float (&sums)[kNumbers]) {
#pragma unroll
  for (int i = 0; i < kNumbers; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

// 1, which the compiler cannot know. Where sums go from one run of products to the next untouched, it
// would do products one by one; multiplying by this in between keeps them together.
__device__ __forceinline__ float unknown_one(const Arguments& args) {
  return args.chunk > 0 ? 1.0f : 0.0f;
}

// Registers of each thread of a warpgroup from here on.
template <int kRegisters>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// Operands in shared memory are core matrices: 8 rows of 8 elements, 128 bytes without a gap. Those
// of 8 rows of a matrix with `columns` columns lie one after another, then those of the next 8 rows.
template <int kColumns>
__device__ __forceinline__ int core_place(int row, int column) {
  return row / 8 * (8 * kColumns) + column / 8 * 64 + row % 8 * 8 + column % 8;
}

// Describes an operand whose rows are summed over: 16 rows by all columns.
template <int kColumns>
__device__ __forceinline__ uint64 summed_rows(const void* rows) {
  return (uint64)((shared_address(rows) & 0x3ffff) >> 4) | (uint64)kColumns << 16 |
         (uint64)8 << 32;
}

// Describes an operand whose columns are summed over: all rows by 16 columns.
template <int kColumns>
__device__ __forceinline__ uint64 summed_columns(const void* rows) {
  return (uint64)((shared_address(rows) & 0x3ffff) >> 4) | (uint64)8 << 16 |
         (uint64)kColumns << 32;
}
