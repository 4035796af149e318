#pragma once
// What a block of query_gradients or key_gradients consists of: kGroups warpgroups with 64 rows each,
// queries or keys.
constexpr int kGradientWarps = kGroups * 4;
constexpr int kGradientRows = kGroups * 64;
static_assert(kGradientThreads == kGroups * 128, "the launch must match");
constexpr int kColumns = 64;  // tokens of a step: keys that queries meet, or queries that keys meet
constexpr int kSlabFeatures = 64;
constexpr int kSlabs = kFeatures / kSlabFeatures;
constexpr int kSlabElements = kSlabFeatures * kHeadDim;
static_assert(kFeatures % kSlabFeatures == 0, "slabs are whole");

// Numbers of a step's tokens.
struct ColumnTerms {
  float factors[kColumns];
  float deltas[kColumns];
  Gate gates[kColumns];
};

struct ColumnTokens {
  element x[kColumns * kHeadDim];  // images: keys and values, or queries and dy
  element u[kColumns * kHeadDim];
};

// What a block knows of its place. It is kept in shared memory because registers hold accumulators.
struct BlockPlace {
  int64 chunk;
  int64 row;         // token of the block's first row
  int64 end;         // one past the last token that rows meet
  const element* x;  // rows of the sequence's tokens that rows meet, of their first head
  const element* u;
  element* target;   // rows of the sequence's gradient
  int64 row_place;   // of the sequence's first token among numbers of each row, of the rows' head
  int64 column_place;  // the same of the tokens that rows meet, of their first head
#if GATED
  const double* gate_sum;  // of the sequence
#endif
};

struct GradientShared {
  element x[kGradientRows * kHeadDim];  // images: queries and dy, or keys and values
  element u[kGradientRows * kHeadDim];
  union {
    float4 dx[kGradientWarps][kHeadDim / 8][32];  // from the state; each number is one lane's own
    element key_sums[2][kHeadDim * kHeadDim];     // images, see contract_key_sums
  };
  union {
    element slabs[kSlots][kSlabElements];
    ColumnTokens tokens[2];
  };
  ColumnTerms terms[2][kGroups];
  uint64 slab_arrived[kSlots];
  uint64 slab_read[kSlots];
  BlockPlace place;
};
static_assert(sizeof(GradientShared) <= kGradientSharedBytes, "the launch must match");

// This thread's warpgroup of the block.
struct Group {
  int index;
  int row;      // of the block's rows, the first of this warp's 16
  int rows;     // rows of the block that are tokens
  bool active;  // whether any of the group's are

  __device__ __forceinline__ Group(int rows) : rows(rows) {
    const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);  // uniform to the compiler too
    index = warp / 4;
    row = warp * 16;
    active = first() < rows;
  }

  // Of the block's rows, the group's first.
  __device__ __forceinline__ int first() const { return index * 64; }

  // Of the block's rows, this lane's row g + 8 r.
  __device__ __forceinline__ int lane_row(int r) const {
    return row + threadIdx.x % 32 / 4 + r * 8;
  }

  // The same, or the block's last row that is a token.
  __device__ __forceinline__ int valid_row(int r) const { return min(lane_row(r), rows - 1); }
};

// The slabs of a snapshot, which pass through shared memory one after another; thread 0 keeps kSlots
// of them on their way.
struct SlabRing {
  GradientShared& shared;
  const unsigned char* snapshot;
  int slab;

  __device__ __forceinline__ SlabRing(GradientShared& shared, const unsigned char* snapshot)
      : shared(shared), snapshot(snapshot), slab(0) {}

  // In thread 0, once in a kernel, before a barrier.
  __device__ __forceinline__ void start() {
    for (int i = 0; i < kSlots; i++) {
      barrier_init(shared.slab_arrived[i], 1);
      barrier_init(shared.slab_read[i], kGradientWarps);
    }
    barrier_init_fence();
    for (int i = 0; i < kSlots && i < kSlabs; i++) copy(i);
  }

  // Waits for the next slab.
  __device__ __forceinline__ const element* next() {
    barrier_wait(shared.slab_arrived[slab % kSlots], slab / kSlots % 2);
    return shared.slabs[slab % kSlots];
  }

  // This warp has read the slab. The one that is copied to a place that was read two slabs ago, so
  // that no thread waits for the slowest warp.
  __device__ __forceinline__ void release() {
    if (threadIdx.x % 32 == 0) barrier_arrive(shared.slab_read[slab % kSlots]);
    const int read = slab - 2;
    if (threadIdx.x == 0 && read >= 0 && read + kSlots < kSlabs) {
      barrier_wait(shared.slab_read[read % kSlots], read / kSlots % 2);
      copy(read + kSlots);
    }
    __syncwarp();
    slab++;
  }

 private:
  __device__ __forceinline__ void copy(int index) {
    constexpr int bytes = kSlabElements * sizeof(element);
    uint64& arrived = shared.slab_arrived[index % kSlots];
    barrier_expect(arrived, bytes);
    copy_bulk(shared.slabs[index % kSlots], snapshot + (int64)index * bytes, bytes, arrived);
  }
};
