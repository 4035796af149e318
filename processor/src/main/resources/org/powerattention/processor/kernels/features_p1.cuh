#pragma once
// Features of degree 1 are the vector itself. A block is 16 of them.

// A block of features: phi(x)[16 b + f] = x[16 b + f].
struct FeatureBlock {
  int index;

  __device__ __forceinline__ FeatureBlock(int first = 0) : index(first) {}

  __device__ __forceinline__ void advance() { index++; }

  __device__ __forceinline__ float multiplicity() const { return 1.0f; }
};

// Features of 16 keys as the A operand of state_pass: features g and g + 8 of the block by pairs of
// tokens (2t, 2t+1) and (2t+8, 2t+9). `keys` is transposed, with the four tokens of a lane together;
// `first`, alike, is where the first factor comes from.
__device__ __forceinline__ void key_features(
    Pair (&a)[4], const element (*first)[kKeyStride], const element (*keys)[kKeyStride],
    const FeatureBlock& block, int token, int g, int t) {
  for (int half = 0; half < 2; half++) {
    const FourElements x = load_four(&first[block.index * 16 + half * 8 + g][token + 4 * t]);
    a[half] = pair_of(x.x);
    a[2 + half] = pair_of(x.y);
  }
}

// Features of 16 queries as the A operand of output_pass: `low` and `high` are queries g and g + 8,
// each a pointer or a PanelRow.
template <typename Row>
__device__ __forceinline__ void query_features(
    Pair (&a)[4], Row low, Row high, const FeatureBlock& block, int t) {
  const int column = block.index * 16 + 2 * t;
  a[0] = pair_of(load_two(low + column));
  a[1] = pair_of(load_two(high + column));
  a[2] = pair_of(load_two(low + (column + 8)));
  a[3] = pair_of(load_two(high + (column + 8)));
}
