#pragma once
// Instructions of Hopper's own: products of a warpgroup (four warps whose first is a multiple of
// four), bulk copies, and barriers in shared memory.

constexpr int kGroup = 128;  // threads of a warpgroup

// Orders writes to shared memory, copies by copy_async_16 among them, before reads by products and
// bulk copies: this thread's own before those of all threads behind the next barrier, and others'
// that this thread knows of from a barrier before its own. It waits for this thread's memory
// accesses.
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

// Arrives as soon as the copies that this thread has started are there.
__device__ __forceinline__ void barrier_arrive_when_copied(uint64& barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(
                   shared_address(&barrier))
               : "memory");
}

// Waits until the phase of this parity is complete; the first phase has parity 0, and one before it,
// that is complete, parity 1.
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

// Waits until only the latest kPending committed groups of products are under way.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Accumulators may be read from here on, behind a wait.
template <int kNumbers>
__device__ __forceinline__ void wgmma_results(float (&d)[kNumbers]) {
#pragma unroll
  for (int i = 0; i < kNumbers; i++) asm volatile("" : "+f"(d[i])::"memory");
}

// Waits for all threads of a group of warps that call this with the same number, from 1 on.
__device__ __forceinline__ void group_sync(int number, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
}

// Registers of each thread of a warpgroup from here on, fewer or more than before.
template <int kRegisters>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
