#pragma once
// Tiles that several of the gradient kernels use.

#if NORMALIZED
static_assert(kGradientSums + kFeatures * sizeof(float) == kSnapshotBytes, "the launch must match");
#else
static_assert(kGradientSums == kSnapshotBytes, "the launch must match");
#endif

// A state or the gradient of one in memory.
struct Snapshot {
  const unsigned char* sums;  // S
  const float* key_sums;      // z
  int slab_bytes;             // from kSlab features of S to the next

  __device__ __forceinline__ static Snapshot state(const Arguments& args, int64 place) {
    Snapshot snapshot;
    snapshot.sums = args.states + place * kStateBytes;
#if BF16
    snapshot.key_sums = args.state_key_sums + place * kFeatures;
    snapshot.slab_bytes = kStateSlab * sizeof(element);
#else
    snapshot.key_sums = reinterpret_cast<const float*>(snapshot.sums + kStateSums);
    snapshot.slab_bytes = kSlab * kHeadDim * sizeof(float);
#endif
    return snapshot;
  }

  __device__ __forceinline__ static Snapshot gradient(const Arguments& args, int64 place) {
    Snapshot snapshot;
    snapshot.sums = args.state_gradients + place * kSnapshotBytes;
    snapshot.key_sums = reinterpret_cast<const float*>(snapshot.sums + kGradientSums);
    snapshot.slab_bytes = kSlab * kHeadDim * sizeof(stored);
    return snapshot;
  }
};

// kSlab features of a snapshot: S, and z.
struct Slab {
#if BF16
  element sums[kGradientSlab];
#else
  float sums[kSlab][kRowStride];
#endif
#if NORMALIZED
  float key_sums[kSlab];
#endif
};

// Starts loading features [first, first + kSlab); those past the last are zero. Complete after
// copy_wait and a barrier.
__device__ __forceinline__ void load_slab(
    Slab& slab, const Snapshot& snapshot, int first, int threads) {
  constexpr int words = kSlab * kHeadDim * sizeof(stored) / 16;
  const unsigned char* source = snapshot.sums + (int64)(first / kSlab) * snapshot.slab_bytes;
  for (int i = threadIdx.x; i < words; i += threads) {
#if BF16
    const bool valid = first + i % kSlab < kFeatures;
    copy_async_16(slab.sums + i * 8, source + i * 16, valid);
#else
    const int row = i / (kHeadDim / 4);
    const bool valid = first + row < kFeatures;
    copy_async_16(&slab.sums[row][i % (kHeadDim / 4) * 4], source + (valid ? i * 16 : 0), valid);
#endif
  }
#if NORMALIZED
  if (threadIdx.x < kSlab / 4) {
    const int feature = first + threadIdx.x * 4;
    const bool valid = feature < kFeatures;
    copy_async_16(slab.key_sums + threadIdx.x * 4, snapshot.key_sums + (valid ? feature : 0), valid);
  }
#endif
  copy_commit();
}

// dphi += X S^T over a slab: X is 16 rows of a tile, the numbers of a row times those of each
// feature.
__device__ __forceinline__ void multiply_slab(
    float (&dphi)[kSlab / 8][4], const element (*x)[kRowStride], int row, const Slab& slab) {
#pragma unroll 2
  for (int column = 0; column < kHeadDim; column += 16) {
    Pair a[4];
    load_pairs_a(a, x, row, column);
#pragma unroll
    for (int n = 0; n < kSlab / 16; n++) {
      Pair b[2][2];
      load_pairs_b(b, slab.sums, n * 16, column);
      multiply_add(dphi[2 * n], a, b[0][0], b[0][1]);
      multiply_add(dphi[2 * n + 1], a, b[1][0], b[1][1]);
    }
  }
}

// Calls body(slab, first feature) for all slabs of a snapshot, one after another, as they arrive;
// with two stages, the next one is on its way meanwhile. What the caller has begun to copy has
// arrived at the first call too.
template <int kStages, typename Body>
__device__ __forceinline__ void for_each_slab(
    Slab (&slabs)[kStages], const Snapshot& snapshot, int threads, Body body) {
  if (kStages == 2) load_slab(slabs[0], snapshot, 0, threads);
#pragma unroll 1
  for (int first = 0; first < kFeatures; first += kSlab) {
    Slab& slab = slabs[first / kSlab % kStages];
    if (kStages == 1) {
      __syncthreads();  // the last slab is read
      load_slab(slab, snapshot, first, threads);
    }
    copy_wait();
    __syncthreads();  // this slab has arrived; the last one is read
    if (kStages == 2 && first + kSlab < kFeatures) {
      load_slab(slabs[(first / kSlab + 1) % kStages], snapshot, first + kSlab, threads);
    }
    body(slab, first);
  }
  __syncthreads();  // the last slab is read
}

// s^(p - 1)
__device__ __forceinline__ float slope(float score) {
#if DEGREE == 1
  return 1.0f;
#elif DEGREE == 2
  return score;
#elif DEGREE == 3
  return score * score;
#else
  return score * score * score;
#endif
}

// A difference of cumulative log gates as a sum of two floats, so that a difference of two of these
// is exact to fp32 wherever it matters.
struct Gate {
  float high;
  float low;
};

#if GATED
__device__ __forceinline__ Gate gate_of(double value) {
  const float high = (float)value;
  return Gate{high, (float)(value - (double)high)};
}

// exp(a - b)
__device__ __forceinline__ float gate_factor(const Gate& a, const Gate& b) {
  return expf((a.high - b.high) + (a.low - b.low));
}
#endif

// The operands of 16 rows by 16 summed indices that multiply_add left in accumulators.
__device__ __forceinline__ void operand_of(
    Pair (&a)[4], const float (&left)[4], const float (&right)[4]) {
  a[0] = pair_of(left[0], left[1]);
  a[1] = pair_of(left[2], left[3]);
  a[2] = pair_of(right[0], right[1]);
  a[3] = pair_of(right[2], right[3]);
}

// rows [16, kHeadDim] += a [16 x 16] times 16 rows of a tile.
__device__ __forceinline__ void multiply_rows(
    float (&rows)[kHeadDim / 8][4], const Pair (&a)[4], const element (*tile)[kRowStride],
    int first) {
#pragma unroll
  for (int m = 0; m < kHeadDim / 16; m++) {
    Pair b[2][2];
    load_pairs_b_transposed(b, tile, first, m * 16);
    multiply_add(rows[2 * m], a, b[0][0], b[0][1]);
    multiply_add(rows[2 * m + 1], a, b[1][0], b[1][1]);
  }
}

// Sum over the four lanes of a row.
__device__ __forceinline__ float row_sum(float value) {
  value += __shfl_xor_sync(0xffffffff, value, 1);
  return value + __shfl_xor_sync(0xffffffff, value, 2);
}

// Writes this lane's two numbers of every 8 of a row.
__device__ __forceinline__ void write_two(element* target, float low, float high, bool aligned) {
  if (aligned) {
    *reinterpret_cast<TwoElements*>(target) = elements_of(low, high);
  } else {
    target[0] = element_of(low);
    target[1] = element_of(high);
  }
}
