#pragma once
// What a block of query_gradients, key_gradients or value_gradients consists of: kGroups warpgroups
// with 64 rows each, queries or keys. Its rows meet other tokens 64 at a step: its columns, keys or
// queries.
constexpr int kGradientWarps = kGroups * 4;
static_assert(kGradientThreads == kGroups * 128, "the launch must match");
static_assert(kFeatures % kSlabFeatures == 0, "slabs are whole");

#if GATED
// exp(x), to 2^-22 and x 2^-24 of itself.
__device__ __forceinline__ float fast_exp(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * 1.44269504f));
  return power;
}

// exp(a - b)
__device__ __forceinline__ float fast_gate_factor(const Gate& a, const Gate& b) {
  return fast_exp((a.high - b.high) + (a.low - b.low));
}
#endif

// Numbers of a step's tokens, as a group needs them.
struct ColumnTerms {
  float factors[kColumns];  // of a row's products with them
  float deltas[kColumns];   // of queries: <dy_i, y_i>
  Gate gates[kColumns];     // on the diagonal, from the group's reference on
};

struct ColumnTokens {
  element x[kTileElements<kColumns>];  // keys and values, or queries and dy
  element u[kTileElements<kColumns>];
};

// What a thread copies first of the next step's tokens, see load_image.
struct __align__(16) ColumnSource {
  const element* x;
  const element* u;
};

// What a block knows of its place. It is kept in shared memory because registers hold accumulators.
struct BlockPlace {
  uint32 head;       // of the rows, among all of the batch
  int64 chunk;
  int64 row;         // token of the block's first row
  int64 end;         // one past the last token that rows meet
  int64 target;      // of the sequence's first token in the tensor of the gradient
  int64 row_place;   // of the same token among numbers of each token, of the rows' head
  int64 column_place;  // and of the columns' first head
#if GATED
  int64 gate_place;    // and of the key/value head
  double before;       // gate_sum of the token before the chunk
  double references[kGroups];  // G from which the gates of a group's columns are counted
#endif

  // A token, counted from the block's first row, that is one of the overlap before its chunk.
  __device__ __forceinline__ bool precedes_chunk(const Arguments& args, int token) const {
    return row + token < chunk * args.chunk;
  }
};

struct GradientShared {
  element x[kTileElements<kGradientRows>];  // queries and dy, or keys and values
  element u[kTileElements<kGradientRows>];
  union {
    float4 dx[kGradientWarps][kHeadDim / 8][32];  // from the state; each number is one lane's own
    element key_sums[2][kHeadDim * kHeadDim];     // core matrices, see write_key_sums
  };
  union {
    element slabs[kSlots][kGradientSlab];
    ColumnTokens tokens[2];
  };
  ColumnSource sources[kGradientThreads];  // each thread's own
  ColumnTerms terms[2][kGroups];
  uint64 slab_arrived[kSlots];
  uint64 slab_read[kSlots];
  BlockPlace place;
};
static_assert(sizeof(GradientShared) <= kGradientSharedBytes, "the launch must match");

// Starts loading a step's tokens, of which the first `rows` exist, and moves on to the next step's.
__device__ __forceinline__ void load_tokens(
    ColumnTokens& tokens, ColumnSource& source, int64 x_stride, int64 u_stride, int rows,
    bool aligned, int64 x_distance, int64 u_distance) {
  const ColumnSource from = source;
  load_image<kColumns>(tokens.x, from.x, x_stride, rows, aligned);
  load_image<kColumns>(tokens.u, from.u, u_stride, rows, aligned);
  copy_commit();
  source = ColumnSource{from.x + x_distance, from.u + u_distance};
}

// A condition on which a warp's lanes agree, so that the compiler knows that they do: it keeps what
// depends on it in uniform registers, where products want the descriptions of their operands.
__device__ __forceinline__ bool agreed(bool condition) {
  return __any_sync(0xffffffff, condition);
}

// This thread's warpgroup of the block.
struct Group {
  int index;
  int row;      // of the block's rows, the first of this warp's 16
  int rows;     // rows of the block that are tokens
  bool active;  // whether any of the group's are

  __device__ __forceinline__ Group(int rows) : rows(rows) {
    int warp = 0;
#pragma unroll
    for (int bit = 1; bit < kGradientWarps; bit *= 2) {
      if (agreed(threadIdx.x & bit * 32)) warp += bit;
    }
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

// The slabs of a snapshot, without columns of z, which pass through shared memory one after another;
// the block's first warp keeps them on their way.
struct SlabRing {
  GradientShared& shared;
  const unsigned char* snapshot;
  int bytes;   // of its slabs
  int slab;    // the next one
  int slot;    // its place
  int parity;  // and how often that has been filled, modulo 2

  __device__ __forceinline__ SlabRing(
      GradientShared& shared, const unsigned char* snapshot, int bytes)
      : shared(shared), snapshot(snapshot), bytes(bytes), slab(0), slot(0), parity(0) {}

  // In thread 0, once in a kernel, before a barrier.
  __device__ __forceinline__ void start() {
    for (int i = 0; i < kSlots; i++) {
      barrier_init(shared.slab_arrived[i], 1);
      barrier_init(shared.slab_read[i], kGradientWarps);
    }
    barrier_init_fence();
    for (int i = 0; i < kSlots && i < kSlabs; i++) copy(i, i);
  }

  // Waits for the next slab.
  __device__ __forceinline__ const element* next() {
    barrier_wait(shared.slab_arrived[slot], parity);
    return shared.slabs[slot];
  }

  // This warp has read the slab. What is copied next takes the place of the one before the last, so
  // that no thread waits for the slowest warp.
  __device__ __forceinline__ void release(const Group& group) {
    const bool elected = elect_lane();
    if (elected) barrier_arrive(shared.slab_read[slot]);
    if (group.row == 0 && slab >= kLag && slab - kLag + kSlots < kSlabs) {
      const bool wrapped = slot < kLag;
      const int free = wrapped ? slot - kLag + kSlots : slot - kLag;
      if (elected) {
        barrier_wait(shared.slab_read[free], wrapped ? parity ^ 1 : parity);
        copy(slab - kLag + kSlots, free);
      }
      __syncwarp();
    }
    slab++;
    if (++slot == kSlots) {
      slot = 0;
      parity ^= 1;
    }
  }

 private:
  static constexpr int kLag = 2;

  __device__ __forceinline__ void copy(int index, int place) {
    constexpr int copied = kGradientSlab * sizeof(element);
    uint64& arrived = shared.slab_arrived[place];
    barrier_expect(arrived, copied);
    copy_bulk(shared.slabs[place], snapshot + (int64)index * bytes, copied, arrived);
  }
};
