#pragma once

constexpr int kHeld = kWindow / 2;              // tokens that stay when a full window is folded
constexpr int kTokens = kDecodeFeatures;        // tokens of a step
constexpr int kRowThreads = kHeadDim / 4;       // threads that read a row, 16 bytes each of fp32
constexpr int kPasses = kDecodeFeatures / kFeatureLanes;  // reads of a thread for a step
constexpr int kKeyStride = kHeadDim + 4;
constexpr int kMostRows = 8;                    // query rows of a walk
constexpr int kFoldTokens = 16;                 // tokens whose features are in shared memory
constexpr int kItemStride = kFoldTokens + 4;    // items of a feature or token, at most
constexpr int kItemGroups = kDecodeThreads / kDecodeFeatures;
static_assert(kFeatureLanes * kRowThreads == kDecodeThreads, "each thread has its value columns");

// Shared memory of a block that walks a state. An item is a row's factor of a row of S or V: of the
// step's feature or token, for each query row; where tokens are folded, for each key.
struct ServingShared {
#if GATED
  double before[kWindow + 2];  // sum of the log gates of the window's first n tokens
#endif
  float keys[kTokens][kKeyStride];
  float values[kTokens][kHeadDim];
  float items[2][kDecodeFeatures * kItemStride];  // one is read while the next is written
  float queries[kMostRows][kHeadDim];
  float fold_weights[kTokens];
  float warp_sums[2][kDecodeThreads / 32][kMostRows];
#if GATED
  float gates[kWindow];  // log gates, by slot
#endif
};
static_assert(sizeof(ServingShared) == kDecodeSharedBytes, "the launch must match");

// The latest tokens of a head, oldest first: token n lies in slot (first + n) % kWindow.
struct Window {
  int batch_head;
  int first;
  int length;

  __device__ __forceinline__ Window(const ServingArguments& args, int batch_head)
      : batch_head(batch_head),
        first(args.spans[2 * batch_head]),
        length(args.spans[2 * batch_head + 1]) {}

  // Where a token lies among the slots of all heads.
  __device__ __forceinline__ int64 slot(int token) const {
    return (int64)batch_head * kWindow + (first + token) % kWindow;
  }

  __device__ __forceinline__ float4 key(
      const ServingArguments& args, int token, int column) const {
    return floats_of(load_quad(args.window_keys + slot(token) * kHeadDim + column, true));
  }

  __device__ __forceinline__ float4 value(
      const ServingArguments& args, int token, int column) const {
    return floats_of(load_quad(args.window_values + slot(token) * kHeadDim + column, true));
  }
};

// What a block walks: some features of one head's state.
struct WalkPlace {
  int batch_head;
  int split;
  int first;  // feature
  int end;    // rounded up to a whole step

  __device__ __forceinline__ explicit WalkPlace(const ServingArguments& args)
      : batch_head(blockIdx.x / (uint32)args.splits),
        split(blockIdx.x % (uint32)args.splits),
        first(split * (int)args.split_features),
        end(min(first + (int)args.split_features, kFeatures)) {}
};

#if GATED
// Starts reading a window's log gates; sum_gates needs a barrier between.
__device__ __forceinline__ void load_gates(
    const ServingArguments& args, ServingShared& shared, int batch_head) {
  for (int i = threadIdx.x; i < kWindow; i += kDecodeThreads) {
    shared.gates[i] = args.window_gates[(int64)batch_head * kWindow + i];
  }
}

// Sums the log gates in double, so that a difference of two sums is exact to fp32. Complete after a
// barrier.
__device__ __forceinline__ void sum_gates(ServingShared& shared, const Window& window) {
  constexpr int kEach = kWindow / 32;  // tokens of a lane
  if (threadIdx.x >= 32) return;
  double own[kEach];
  double sum = 0;
  for (int e = 0; e < kEach; e++) {
    const int token = threadIdx.x * kEach + e;
    sum += token < window.length ? log_gate_of(shared.gates[(window.first + token) % kWindow]) : 0.0;
    own[e] = sum;
  }
  for (int distance = 1; distance < 32; distance *= 2) {
    const double below = __shfl_up_sync(0xffffffff, sum, distance);
    if (threadIdx.x >= distance) sum += below;
  }
  double earlier = __shfl_up_sync(0xffffffff, sum, 1);
  if (threadIdx.x == 0) earlier = shared.before[0] = 0;
  for (int e = 0; e < kEach; e++) shared.before[threadIdx.x * kEach + e + 1] = earlier + own[e];
}
#endif
