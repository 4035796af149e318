#pragma once
// Features of degree 2: for each pair of tiles I <= J of 8, the 64 products x[8 I + i] x[8 J + j], j
// fastest. A block is 16 of them: two values of i.

struct FeatureBlock {
  int first_tile;   // I
  int second_tile;  // J
  int row;          // first i, even

  __device__ __forceinline__ FeatureBlock(int index = 0) : first_tile(0), row(index % 4 * 2) {
    int pair = index / 4;
    while (first_tile < kTiles - 1 && pair >= kTiles - first_tile) pair -= kTiles - first_tile++;
    second_tile = min(first_tile + pair, kTiles - 1);
  }

  __device__ __forceinline__ void advance() {
    row = (row + 2) % 8;
    if (row == 0 && ++second_tile == kTiles) second_tile = ++first_tile;
  }

  // Tile pair (I, J) also stands for (J, I).
  __device__ __forceinline__ float multiplicity() const {
    return first_tile == second_tile ? 1.0f : 2.0f;
  }
};

// Features of 16 keys as the A operand of state_pass: features g and g + 8 of the block by pairs of
// tokens (2t, 2t+1) and (2t+8, 2t+9). `keys` is transposed, with the four tokens of a lane together;
// `first`, alike, is where the first factor comes from.
__device__ __forceinline__ void key_features(
    Pair (&a)[4], const element (*first)[kKeyStride], const element (*keys)[kKeyStride],
    const FeatureBlock& block, int token, int g, int t) {
  const FourElements xj = load_four(&keys[block.second_tile * 8 + g][token + 4 * t]);
  for (int half = 0; half < 2; half++) {
    const FourElements xi = load_four(&first[block.first_tile * 8 + block.row + half][token + 4 * t]);
    a[half] = operand_times(pair_of(xi.x), pair_of(xj.x));
    a[2 + half] = operand_times(pair_of(xi.y), pair_of(xj.y));
  }
}

// Features of 16 queries as the A operand of output_pass: `low` and `high` are queries g and g + 8,
// each a pointer or a PanelRow.
template <typename Row>
__device__ __forceinline__ void query_features(
    Pair (&a)[4], Row low, Row high, const FeatureBlock& block, int t) {
  const int row = block.first_tile * 8 + block.row;
  const int column = block.second_tile * 8 + 2 * t;
  const TwoElements xi_low = load_two(low + row);
  const TwoElements xi_high = load_two(high + row);
  const Pair xj_low = pair_of(load_two(low + column));
  const Pair xj_high = pair_of(load_two(high + column));
  a[0] = operand_times(both_low(xi_low), xj_low);
  a[1] = operand_times(both_low(xi_high), xj_high);
  a[2] = operand_times(both_high(xi_low), xj_low);
  a[3] = operand_times(both_high(xi_high), xj_high);
}
