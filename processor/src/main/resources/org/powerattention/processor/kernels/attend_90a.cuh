#pragma once
// What the rows of a warpgroup take from the keys of their chunk.

// scores = q_i k_j of a warpgroup's rows and a tile's keys. Left under way.
__device__ __forceinline__ void multiply_scores(
    float (&scores)[kKeyTile / 2], const element* q, const element* k) {
  const Operand a = panel_columns(q);
  const Operand b = panel_columns(k);
  wgmma_fence();
#pragma unroll
  for (int d = 0; d < kHeadDim; d += 16) {
    wgmma_shared(scores, a + panel_distance<kGroupRows>(d), b + panel_distance<kKeyTile>(d), d > 0);
  }
  wgmma_commit();
}

// What the weights of a lane's keys have as a factor, of every 8 keys those of 2t and 2t + 1.
struct KeyFactors {
#if GATED
  float2 factors[kKeyTile / 8];

  __device__ __forceinline__ KeyFactors(const float* group_factors) {
#pragma unroll
    for (int n = 0; n < kKeyTile / 8; n++) {
      factors[n] =
          *reinterpret_cast<const float2*>(group_factors + threadIdx.x % 4 * 2 + n * 8);
    }
  }
#endif
};

// Weights [64 rows x 64 keys] as A operands.
typedef Pair Weights[kKeyTile / 16][4];

// Sets them from body(n, c), c a lane's four numbers of keys 8 n and on.
template <typename Body>
__device__ __forceinline__ void set_weights(Weights& weights, Body body) {
#pragma unroll
  for (int n = 0; n < kKeyTile / 8; n++) {
    weights[n / 2][n % 2 * 2] = pair_of(body(n, 0), body(n, 1));
    weights[n / 2][n % 2 * 2 + 1] = pair_of(body(n, 2), body(n, 3));
  }
}

// w_ij of a tile's keys from its scores, without the factor exp(G_i - G) from the warpgroup's first
// row on: all rows are behind the keys.
__device__ __forceinline__ void weigh(
    Weights& weights, const float (&scores)[kKeyTile / 2], const KeyFactors& keys) {
  set_weights(weights, [&](int n, int c) {
    float weight = power(scores[n * 4 + c]);
#if GATED
    weight *= c % 2 == 0 ? keys.factors[n].x : keys.factors[n].y;
#endif
    return weight;
  });
}

// w_ij where the tile's keys are the warpgroup's own rows: later ones are masked, and gates taken pair
// by pair.
__device__ __forceinline__ void weigh_diagonal(
    Weights& weights, const float (&scores)[kKeyTile / 2], const OutputShared& shared, int stage) {
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
#if GATED
  const float2 row_gates[2] = {shared.row_gates[row], shared.row_gates[row + 8]};
#endif
  set_weights(weights, [&](int n, int c) {
    const int key = n * 8 + 2 * (threadIdx.x % 4) + c % 2;
    float weight = power(scores[n * 4 + c]);
#if GATED
    const float2 gate = shared.gates[stage].gates[key];
    weight *= expf((row_gates[c / 2].x - gate.x) + (row_gates[c / 2].y - gate.y));
#endif
    return key > row % kGroupRows + c / 2 * 8 ? 0.0f : weight;
  });
}

// Sums of the weights of a warp's rows: of row g the first two numbers, each of them, and of row g + 8
// the others.
typedef float Totals[4];

// sums += sum over a tile's keys of w_ij v_j, which is left under way; totals += sum of w_ij. What is
// added are the weights that multiply values, rounded as they are: where a row has few keys its y
// is as exact as they are, and a gradient in which parts cancel stays small.
__device__ __forceinline__ void multiply_weights(
    GroupSums& sums, Totals& totals, const Weights& weights, const element* v) {
#if NORMALIZED
#pragma unroll
  for (int n = 0; n < kKeyTile / 16; n++) {
    constexpr uint32 ones = 0x3f803f80;
    mma_16(totals, weights[n], ones, ones);
  }
#endif
  wgmma_fence();
#pragma unroll
  for (int n = 0; n < kKeyTile / 16; n++) {
    multiply_values(sums, weights[n], panel_rows<kKeyTile>(v, n * 16).packed());
  }
  wgmma_commit();
}

// sums = exp(G_i) sums + sum over the keys up to each of a warpgroup's rows of w_ij v_j, and totals
// the sums of w_ij. log_decay is G of the block's first row, counted from where the state is.
__device__ __forceinline__ void attend(
    GroupSums& sums, Totals& totals, const Arguments& args, OutputShared& shared,
    const KeyRange& range, float log_decay) {
  const int group = __shfl_sync(0xffffffff, threadIdx.x / kGroup, 0);  // uniform to the compiler too
  const element* q = shared.q[group];
  const int tiles = (int)((range.end - range.first + kKeyTile - 1) / kKeyTile);
  // A warpgroup behind the last row computes what is not written, rather than branch: products that
  // are under way across a branch would be serialized.
  const int diagonal =
      min((int)((range.row - range.first) / kKeyTile) + group * (kGroupRows / kKeyTile), tiles - 1);
  int stage = 0;  // of the latest tile that arrived, and the parity of its phase
  int parity = 0;
  const auto arrived = [&] {
    barrier_wait(shared.keys_full[stage], parity);
    fence_async_reads();
  };
  const auto advance = [&] {
    if (++stage == kKeyStages) {
      stage = 0;
      parity ^= 1;
    }
    arrived();
  };
  const auto release = [&](int tile_stage) {
    __syncwarp();  // all lanes have read the gates, not only the one that arrives
    if (threadIdx.x % 32 == 0) barrier_arrive(shared.keys_empty[tile_stage]);
  };
  const auto before = [&] { return (stage == 0 ? kKeyStages : stage) - 1; };
  float scores[kKeyTile / 2];
  Weights weights;
  arrived();
#if GATED
  const float2 group_gate = shared.row_gates[group * kGroupRows];
  const float decay = expf(log_decay + group_gate.x + group_gate.y);
  scale_rows(sums, decay, decay);
#else
  scale_rows(sums, unknown_one(args), unknown_one(args));
#endif
#pragma unroll
  for (int i = 0; i < kSumColumns / 2; i++) keep(sums[i]);
  multiply_scores(scores, q, shared.k[0]);
#pragma unroll 1
  for (int tile = 0; tile < diagonal; tile++) {
    wgmma_wait<1>();  // the values of the last tile are multiplied, these scores may not be
    if (tile > 0) release(before());
#if GATED
    const KeyFactors factors(shared.gates[stage].factors[group]);
#else
    const KeyFactors factors;
#endif
    wgmma_wait<0>();
    wgmma_results(scores);
    wgmma_results(sums);
    weigh(weights, scores, factors);
    multiply_weights(sums, totals, weights, shared.v[stage]);
    advance();
    multiply_scores(scores, q, shared.k[stage]);
  }
  wgmma_wait<0>();
  wgmma_results(scores);
  wgmma_results(sums);
  if (diagonal > 0) release(before());
#if GATED
  // Until here weights lacked the factor exp(G_i - G) of a row, G of the warpgroup's first.
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  const auto factor = [&](const float2& gate) {
    return expf((gate.x - group_gate.x) + (gate.y - group_gate.y));
  };
  const float factors[2] = {factor(shared.row_gates[row]), factor(shared.row_gates[row + 8])};
  scale_rows(sums, factors[0], factors[1]);
#pragma unroll
  for (int i = 0; i < 4; i++) totals[i] *= factors[i / 2];
#endif
  weigh_diagonal(weights, scores, shared, stage);
  multiply_weights(sums, totals, weights, shared.v[stage]);
  wgmma_wait<0>();
  wgmma_results(sums);
  release(stage);
  for (int tile = diagonal + 1; tile < tiles; tile++) {
    advance();
    release(stage);
  }
}
