#pragma once
// Features of degree 3: for each triple of tiles I <= J <= K of 4, the 64 products
// x[4 I + i] x[4 J + j] x[4 K + k], k fastest. A block is 16 of them: one value of i.

struct FeatureBlock {
  int first_tile;   // I
  int second_tile;  // J
  int third_tile;   // K
  int row;          // i

  __device__ __forceinline__ FeatureBlock(int index = 0) : first_tile(0), row(index % 4) {
    int triple = index / 4;
    // From I on there are C(n + 1, 2) pairs J <= K, n = kTiles - I.
    int pairs = kTiles * (kTiles + 1) / 2;
    while (first_tile < kTiles - 1 && triple >= pairs) {
      triple -= pairs;
      pairs -= kTiles - first_tile++;
    }
    second_tile = first_tile;
    while (second_tile < kTiles - 1 && triple >= kTiles - second_tile) {
      triple -= kTiles - second_tile++;
    }
    third_tile = min(second_tile + triple, kTiles - 1);
  }

  __device__ __forceinline__ void advance() {
    row = (row + 1) % 4;
    if (row != 0 || ++third_tile < kTiles) return;
    if (++second_tile == kTiles) second_tile = ++first_tile;
    third_tile = second_tile;
  }

  // 3! over the factorials of the repetitions.
  __device__ __forceinline__ float multiplicity() const {
    if (first_tile == third_tile) return 1.0f;
    return first_tile == second_tile || second_tile == third_tile ? 3.0f : 6.0f;
  }
};

// Features of 16 keys as the A operand of state_pass: features g and g + 8 of the block by pairs of
// tokens (2t, 2t+1) and (2t+8, 2t+9). `keys` is transposed, with the four tokens of a lane together;
// `first`, alike, is where the first factor comes from.
__device__ __forceinline__ void key_features(
    Pair (&a)[4], const element (*first)[kKeyStride], const element (*keys)[kKeyStride],
    const FeatureBlock& block, int token, int g, int t) {
  const FourElements xi = load_four(&first[block.first_tile * 4 + block.row][token + 4 * t]);
  const FourElements xk = load_four(&keys[block.third_tile * 4 + g % 4][token + 4 * t]);
  const Pair xik_low = feature_times(pair_of(xi.x), pair_of(xk.x));
  const Pair xik_high = feature_times(pair_of(xi.y), pair_of(xk.y));
  for (int half = 0; half < 2; half++) {
    const FourElements xj =
        load_four(&keys[block.second_tile * 4 + half * 2 + g / 4][token + 4 * t]);
    a[half] = operand_times(xik_low, pair_of(xj.x));
    a[2 + half] = operand_times(xik_high, pair_of(xj.y));
  }
}

// Features of 16 queries as the A operand of output_pass: `low` and `high` are queries g and g + 8,
// each a pointer or a PanelRow.
template <typename Row>
__device__ __forceinline__ void query_features(
    Pair (&a)[4], Row low, Row high, const FeatureBlock& block, int t) {
  const Row rows[2] = {low, high};
  for (int r = 0; r < 2; r++) {
    const Pair xi = both_low(rows[r][block.first_tile * 4 + block.row]);
    const Pair xj = both_low(rows[r][block.second_tile * 4 + t / 2]);
    const Pair xj_next = both_low(rows[r][block.second_tile * 4 + t / 2 + 2]);
    const Pair xk = pair_of(load_two(rows[r] + block.third_tile * 4 + t % 2 * 2));
    const Pair xik = feature_times(xi, xk);
    a[r] = operand_times(xik, xj);
    a[2 + r] = operand_times(xik, xj_next);
  }
}
