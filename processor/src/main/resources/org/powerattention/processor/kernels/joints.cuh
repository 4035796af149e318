#pragma once
// Rows on both sides of a joint, where one call ends and another goes on from its state. Near it a
// row may rest on the state alone, which under strong gates is in effect one key. Where that key's
// score is small, phi(q) S cancels, in 16 bits beyond use. So the kOverlap tokens on each side meet
// the caller's states in fp32: features in fp32, short sums in fp32, sums of those in fp64.

constexpr int kRun = 16;  // features of a step
constexpr int kRuns = kFeatures / kRun;
constexpr int kJointGroups = 256 / kHeadDim >= 16  ? 16
                             : 256 / kHeadDim >= 8 ? 8
                             : 256 / kHeadDim >= 4 ? 4
                                                   : 2;
constexpr int kJointThreads = kHeadDim * kJointGroups;  // a value column each, in groups
constexpr int kJointRows = kOverlap / kJointGroups;

constexpr int kTuplePlaces =  // features of one tuple of tiles
    kTileSize * (kDegree > 1 ? kTileSize : 1) * (kDegree > 2 ? kTileSize : 1) *
    (kDegree > 3 ? kTileSize : 1);
static_assert(kTuplePlaces % kRun == 0, "a run has one tuple");

// kRun features of the tiled symmetric power that follow one another. Features are ordered by
// non-decreasing tuple of tiles, then by the places within the tiles, the last fastest.
struct FeatureRun {
  int tiles[kDegree];
  int place;  // of the first feature, among those of the tuple

  __device__ __forceinline__ explicit FeatureRun(int run) : place(run * kRun % kTuplePlaces) {
    int tuple = run * kRun / kTuplePlaces;
    int tile = 0;
#pragma unroll
    for (int position = 0; position < kDegree; position++) {
      const int more = kDegree - 1 - position;
      while (tile < kTiles - 1) {
        // Tuples with this tile here: the rest chosen from it on, C(n + more - 1, more).
        int count = 1;
#pragma unroll
        for (int m = 1; m <= more; m++) count = count * (kTiles - tile + m - 1) / m;
        if (tuple < count) break;
        tuple -= count;
        tile++;
      }
      tiles[position] = tile;
    }
  }

  __device__ __forceinline__ void advance() {
    place += kRun;
    if (place < kTuplePlaces) return;
    place = 0;
    // The last tile that can still move does, and all after it move to the same tile.
    bool moved = false;
#pragma unroll
    for (int position = kDegree - 1; position >= 0; position--) {
      if (!moved && tiles[position] < kTiles - 1) {
        moved = true;
        const int tile = tiles[position] + 1;
#pragma unroll
        for (int later = position; later < kDegree; later++) tiles[later] = tile;
      }
    }
  }

  // Orderings of the tuple, p! over the factorials of its repetitions.
  __device__ __forceinline__ float multiplicity() const {
    int orderings = 1;
    int repeated = 1;
#pragma unroll
    for (int position = 1; position < kDegree; position++) {
      repeated = tiles[position] == tiles[position - 1] ? repeated + 1 : 1;
      orderings = orderings * (position + 1) / repeated;
    }
    return (float)orderings;
  }

  // Dimensions whose product a feature of the run is.
  __device__ __forceinline__ void locate(int (&dimensions)[kDegree], int feature) const {
    int rest = place + feature;
#pragma unroll
    for (int position = kDegree - 1; position >= 0; position--) {
      dimensions[position] = tiles[position] * kTileSize + rest % kTileSize;
      rest /= kTileSize;
    }
  }

  __device__ __forceinline__ float of(const float* x, int feature) const {
    int dimensions[kDegree];
    locate(dimensions, feature);
    float product = x[dimensions[0]];
#pragma unroll
    for (int position = 1; position < kDegree; position++) product *= x[dimensions[position]];
    return product;
  }
};

// The runs of features of block x of a grid.
struct RunRange {
  int first;
  int end;

  __device__ __forceinline__ RunRange()
      : first((int)((int64)kRuns * blockIdx.x / gridDim.x)),
        end((int)((int64)kRuns * (blockIdx.x + 1) / gridDim.x)) {}
};

// What a caller's state, or the gradient of one, is of one head.
template <typename Number>
struct JointState {
  Number* sums;      // [kFeatures, kHeadDim]
  Number* key_sums;  // [kFeatures], if normalised

  __device__ __forceinline__ JointState(Number* all_sums, Number* all_key_sums, int64 head)
      : sums(all_sums + head * (int64)kFeatures * kHeadDim),
        key_sums(all_key_sums + head * (int64)kFeatures) {}
};

struct JointShared {
  float x[kOverlap][kHeadDim + 1];
  float phi[kRun][kOverlap];  // features of x
  float value_weights[kOverlap];
#if NORMALIZED
  float sum_weights[kOverlap];
#endif
};

// Loads rows [first, first + rows) of one head; rows from `end` on are zero.
template <int kStride>
__device__ __forceinline__ void load_joint_rows(
    float (*target)[kStride], const element* head, int64 token_stride, int64 first, int64 end,
    int rows) {
  for (int i = threadIdx.x; i < rows * kHeadDim; i += blockDim.x) {
    const int64 token = first + i / kHeadDim;
    target[i / kHeadDim][i % kHeadDim] =
        token < end ? float_of(head[token * token_stride + i % kHeadDim]) : 0.0f;
  }
}

__device__ __forceinline__ void expand_rows(
    JointShared& shared, const FeatureRun& run, float multiplicity) {
  for (int i = threadIdx.x; i < kRun * kOverlap; i += kJointThreads) {
    shared.phi[i / kOverlap][i % kOverlap] =
        run.of(shared.x[i % kOverlap], i / kOverlap) * multiplicity;
  }
}

// Of each row x, this block's share of phi(x) S, and of phi(x) z: to target[row * stride + column],
// the latter in column kHeadDim. Features count by their multiplicities unless S has them folded in.
template <bool kMultiplicities, bool kKeySums>
__device__ __forceinline__ void read_joint(
    JointShared& shared, const JointState<const float>& state, double* target, int stride) {
  const RunRange range;
  const int column = threadIdx.x % kHeadDim;
  const int first_row = threadIdx.x / kHeadDim * kJointRows;
  double totals[kJointRows] = {};
  double weights = 0;
  FeatureRun run(range.first);
  for (int index = range.first; index < range.end; index++) {
    float numbers[kRun];
#pragma unroll
    for (int f = 0; f < kRun; f++) {
      numbers[f] = state.sums[((int64)index * kRun + f) * kHeadDim + column];
    }
    __syncthreads();  // x is there; phi of the last run is read
    expand_rows(shared, run, kMultiplicities ? run.multiplicity() : 1.0f);
    run.advance();
    __syncthreads();  // phi is complete
    float sums[kJointRows] = {};
#pragma unroll
    for (int f = 0; f < kRun; f++) {
#pragma unroll
      for (int row = 0; row < kJointRows; row += 4) {
        const float4 phi = *reinterpret_cast<const float4*>(&shared.phi[f][first_row + row]);
        sums[row] = fmaf(phi.x, numbers[f], sums[row]);
        sums[row + 1] = fmaf(phi.y, numbers[f], sums[row + 1]);
        sums[row + 2] = fmaf(phi.z, numbers[f], sums[row + 2]);
        sums[row + 3] = fmaf(phi.w, numbers[f], sums[row + 3]);
      }
    }
#pragma unroll
    for (int row = 0; row < kJointRows; row++) totals[row] += sums[row];
    if (kKeySums && threadIdx.x < kOverlap) {
      float sum = 0;
      for (int f = 0; f < kRun; f++) {
        sum = fmaf(shared.phi[f][threadIdx.x], state.key_sums[index * kRun + f], sum);
      }
      weights += sum;
    }
  }
#pragma unroll
  for (int row = 0; row < kJointRows; row++) {
    target[(first_row + row) * stride + column] = totals[row];
  }
  if (kKeySums && threadIdx.x < kOverlap) target[threadIdx.x * stride + kHeadDim] = weights;
}

// S <- decay S + sum over the rows of phi(x) u^T, and z <- decay z + sum of phi(x) times the rows'
// sum_weights, for this block's features, with multiplicities folded in or not. `values` is this
// thread's column of u.
template <bool kMultiplicities>
__device__ __forceinline__ void add_joint(
    JointShared& shared, const JointState<float>& state, const float (&values)[kOverlap],
    float decay) {
  const RunRange range;
  const int column = threadIdx.x % kHeadDim;
  FeatureRun run(range.first);
  for (int index = range.first; index < range.end; index++) {
    __syncthreads();  // x and weights are there; phi of the last run is read
    expand_rows(shared, run, kMultiplicities ? run.multiplicity() : 1.0f);
    run.advance();
    __syncthreads();  // phi is complete
#pragma unroll 1
    for (int f = threadIdx.x / kHeadDim; f < kRun; f += kJointGroups) {
      float sums[4] = {};
#pragma unroll
      for (int row = 0; row < kOverlap; row += 4) {
        const float4 phi = *reinterpret_cast<const float4*>(&shared.phi[f][row]);
        sums[0] = fmaf(phi.x, values[row], sums[0]);
        sums[1] = fmaf(phi.y, values[row + 1], sums[1]);
        sums[2] = fmaf(phi.z, values[row + 2], sums[2]);
        sums[3] = fmaf(phi.w, values[row + 3], sums[3]);
      }
      float* number = state.sums + ((int64)index * kRun + f) * kHeadDim + column;
      *number = fmaf(*number, decay, (sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
#if NORMALIZED
    if (threadIdx.x < kRun) {
      float sums[4] = {};
      for (int row = 0; row < kOverlap; row += 4) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          sums[e] =
              fmaf(shared.phi[threadIdx.x][row + e], shared.sum_weights[row + e], sums[e]);
        }
      }
      float* number = state.key_sums + index * kRun + threadIdx.x;
      *number = fmaf(*number, decay, (sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
#endif
  }
}

constexpr int kJointSumThreads = 256;

// Adds the shares that the blocks of a joint's kernels left, always in the same order.
// Grid (joint_numbers / 256 rounded up).
extern "C" __global__ __launch_bounds__(kJointSumThreads)
void joint_sums(const __grid_constant__ Arguments args) {
  const int64 number = blockIdx.x * (int64)kJointSumThreads + threadIdx.x;
  if (number >= args.joint_numbers) return;
  double sum = 0;
  for (int64 part = 0; part < args.joint_parts; part++) {
    sum += args.joint_partials[part * args.joint_numbers + number];
  }
  args.joint_totals[number] = (float)sum;
}
