// As much of CUDA C++ as the kernels by mma.sync use, on the CPU: blocks run one after another, and
// each of a block's threads is a thread of the operating system. So a thread sanitizer finds what
// __syncthreads should have ordered and did not, and an address sanitizer what lies outside.
#pragma once
#include <pthread.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <type_traits>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))
#define shared_memory (block->shared)

struct alignas(8) float2 { float x, y; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) double2 { double x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };

inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

inline thread_local dim3 threadIdx;
inline thread_local dim3 blockIdx;
inline dim3 blockDim;
inline dim3 gridDim;

// What the lanes of a warp show each other, in turns: of the time before, a lane may still be reading.
typedef uint64_t Shown[32][8];

struct Warp {
  pthread_barrier_t barrier;
  Shown shown[2];
};

struct Block {
  pthread_barrier_t barrier;
  std::vector<Warp> warps;
  unsigned char* shared;
  int any;
};

inline Block* block;

inline int own_lane() { return threadIdx.x % 32; }

inline Warp& own_warp() { return block->warps[threadIdx.x / 32]; }

inline void __syncwarp() { pthread_barrier_wait(&own_warp().barrier); }

// Where the warp's lanes write next what they show, before a __syncwarp, and read it behind.
inline Shown& next_shown() {
  static thread_local unsigned times = 0;
  return own_warp().shown[times++ % 2];
}

inline void __syncthreads() { pthread_barrier_wait(&block->barrier); }

inline int __syncthreads_or(int condition) {
  if (condition) __atomic_store_n(&block->any, 1, __ATOMIC_SEQ_CST);
  __syncthreads();
  const int any = __atomic_load_n(&block->any, __ATOMIC_SEQ_CST);
  __syncthreads();
  if (threadIdx.x == 0) __atomic_store_n(&block->any, 0, __ATOMIC_SEQ_CST);
  __syncthreads();
  return any;
}

template <typename T>
T of_lane(T value, int lane) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "fits");
  Shown& shown = next_shown();
  std::memcpy(&shown[own_lane()][0], &value, sizeof(T));
  __syncwarp();
  T other;
  std::memcpy(&other, &shown[lane][0], sizeof(T));
  return other;
}

template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return of_lane(value, own_lane() ^ mask);
}

template <typename T>
T __shfl_up_sync(unsigned, T value, int distance) {
  return of_lane(value, own_lane() < distance ? own_lane() : own_lane() - distance);
}

inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }

inline void __threadfence() {}

template <typename T>
T __ldcg(const T* source) { return *source; }

template <typename T>
T __ldcs(const T* source) { return *source; }

inline unsigned atomicAdd(unsigned* target, unsigned value) {
  return __atomic_fetch_add(target, value, __ATOMIC_SEQ_CST);
}

template <typename A, typename B>
std::common_type_t<A, B> min(A a, B b) { return a < b ? a : b; }

template <typename A, typename B>
std::common_type_t<A, B> max(A a, B b) { return a > b ? a : b; }

// The threads of a block, kept from block to block: a sanitizer takes long to start one.
class Threads {
  static constexpr int kMost = 256;

  pthread_barrier_t turn;
  std::function<void(int)> body;
  int count = 0;
  std::vector<std::thread> all;

  void meet() { pthread_barrier_wait(&turn); }

 public:
  Threads() {
    pthread_barrier_init(&turn, nullptr, kMost + 1);
    for (int thread = 0; thread < kMost; thread++) {
      all.emplace_back([this, thread] {
        for (meet(); body != nullptr; meet()) {
          if (thread < count) body(thread);
          meet();
        }
      });
    }
  }

  // Calls body(thread) in as many threads, and returns when all of them have.
  void run(int threads, std::function<void(int)> block_body) {
    if (threads > kMost) std::abort();
    count = threads;
    body = std::move(block_body);
    meet();
    meet();
  }

  ~Threads() {
    body = nullptr;
    meet();
    for (std::thread& one : all) one.join();
    pthread_barrier_destroy(&turn);
  }
};

inline Threads threads_of_blocks;

// Runs a kernel. Shared memory is full of NaN when a block starts.
template <typename Kernel, typename Arguments>
void launch(Kernel kernel, dim3 grid, int threads, int shared_bytes, const Arguments& arguments) {
  gridDim = grid;
  blockDim = {(unsigned)threads, 1, 1};
  for (unsigned i = 0; i < grid.x * grid.y * grid.z; i++) {
    Block running{};
    running.warps = std::vector<Warp>(threads / 32);
    pthread_barrier_init(&running.barrier, nullptr, threads);
    for (Warp& warp : running.warps) pthread_barrier_init(&warp.barrier, nullptr, 32);
    void* shared = nullptr;
    if (posix_memalign(&shared, 1024, shared_bytes > 0 ? shared_bytes : 1) != 0) std::abort();
    std::memset(shared, 0xff, shared_bytes);
    running.shared = static_cast<unsigned char*>(shared);
    block = &running;
    threads_of_blocks.run(threads, [&](int thread) {
      threadIdx = {(unsigned)thread, 0, 0};
      blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
      kernel(arguments);
    });
    pthread_barrier_destroy(&running.barrier);
    for (Warp& warp : running.warps) pthread_barrier_destroy(&warp.barrier);
    std::free(shared);
  }
}

inline unsigned short bf16_of(float value) {
  const unsigned bits = __float_as_uint(value);
  if (value != value) return 0x7fff;
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float float_of_bf16(unsigned bits) { return __uint_as_float(bits << 16); }
