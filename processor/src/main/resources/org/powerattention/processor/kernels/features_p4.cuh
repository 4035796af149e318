#pragma once
// Features of degree 4: for each quadruple of tiles I <= J <= K <= L of 2, the 16 products
// x[2 I + i] x[2 J + j] x[2 K + k] x[2 L + l], l fastest. A block is one quadruple.

struct FeatureBlock {
  int tile[4];

  // Quadruples are counted off one tile at a time: with m more tiles to choose from n, there are
  // C(n + m - 1, m).
  __device__ __forceinline__ FeatureBlock(int index = 0) {
    int least = 0;
    for (int position = 0; position < 4; position++) {
      const int more = 3 - position;
      while (least < kTiles - 1) {
        int count = 1;
        for (int m = 1; m <= more; m++) count = count * (kTiles - least + m - 1) / m;
        if (index < count) break;
        index -= count;
        least++;
      }
      tile[position] = least;
    }
  }

  __device__ __forceinline__ void advance() {
    if (++tile[3] < kTiles) return;
    if (++tile[2] == kTiles) {
      if (++tile[1] == kTiles) tile[1] = ++tile[0];
      tile[2] = tile[1];
    }
    tile[3] = tile[2];
  }

  // 4! over the factorials of the repetitions.
  __device__ __forceinline__ float multiplicity() const {
    int orderings = 1;
    int run = 1;
    for (int i = 1; i < 4; i++) {
      run = tile[i] == tile[i - 1] ? run + 1 : 1;
      orderings = orderings * (i + 1) / run;
    }
    return (float)orderings;
  }
};

// Features of 16 keys as the A operand of state_pass: features g and g + 8 of the block by pairs of
// tokens (2t, 2t+1) and (2t+8, 2t+9). `keys` is transposed, with the four tokens of a lane together;
// `first`, alike, is where the first factor comes from.
__device__ __forceinline__ void key_features(
    Pair (&a)[4], const element (*first)[kKeyStride], const element (*keys)[kKeyStride],
    const FeatureBlock& block, int token, int g, int t) {
  const FourElements xj = load_four(&keys[block.tile[1] * 2 + g / 4][token + 4 * t]);
  const FourElements xk = load_four(&keys[block.tile[2] * 2 + g / 2 % 2][token + 4 * t]);
  const FourElements xl = load_four(&keys[block.tile[3] * 2 + g % 2][token + 4 * t]);
  const Pair xkl_low = feature_times(pair_of(xk.x), pair_of(xl.x));
  const Pair xkl_high = feature_times(pair_of(xk.y), pair_of(xl.y));
  for (int half = 0; half < 2; half++) {
    const FourElements xi = load_four(&first[block.tile[0] * 2 + half][token + 4 * t]);
    a[half] = operand_times(feature_times(pair_of(xi.x), pair_of(xj.x)), xkl_low);
    a[2 + half] = operand_times(feature_times(pair_of(xi.y), pair_of(xj.y)), xkl_high);
  }
}

// Features of 16 queries as the A operand of output_pass: `low` and `high` are queries g and g + 8,
// each a pointer or a PanelRow.
template <typename Row>
__device__ __forceinline__ void query_features(
    Pair (&a)[4], Row low, Row high, const FeatureBlock& block, int t) {
  const Row rows[2] = {low, high};
  for (int r = 0; r < 2; r++) {
    const TwoElements xi = load_two(rows[r] + block.tile[0] * 2);
    const Pair xj = both_low(rows[r][block.tile[1] * 2 + t / 2]);
    const Pair xk = both_low(rows[r][block.tile[2] * 2 + t % 2]);
    const Pair xl = pair_of(load_two(rows[r] + block.tile[3] * 2));
    const Pair xkl = feature_times(xk, xl);
    a[r] = operand_times(feature_times(both_low(xi), xj), xkl);
    a[2 + r] = operand_times(feature_times(both_high(xi), xj), xkl);
  }
}
