// In the place of the functions of a BF16 source that consist of PTX. Included in the source's
// namespace, once for each.
inline uint32 shared_address(const void*) { return 0; }

// Copies are complete at once: that they are waited for is not tested here.
inline void copy_async_16(void* target, const void* source, bool valid) {
  *static_cast<uint4*>(target) = valid ? *static_cast<const uint4*>(source) : uint4{0, 0, 0, 0};
}

inline void copy_commit() {}

inline void copy_wait() {}

inline void copy_wait_but_latest() {}

inline void load_four_matrices(uint32 (&r)[4], const void* row, bool transposed) {
  Shown& shown = next_shown();
  shown[own_lane()][0] = reinterpret_cast<uint64_t>(row);
  __syncwarp();
  const int g = own_lane() / 4;
  const int t = own_lane() % 4;
  for (int matrix = 0; matrix < 4; matrix++) {
    uint32 two[2];
    for (int e = 0; e < 2; e++) {
      const int row_of_matrix = transposed ? 2 * t + e : g;
      const int column = transposed ? g : 2 * t + e;
      two[e] = reinterpret_cast<const element*>(shown[matrix * 8 + row_of_matrix][0])[column];
    }
    r[matrix] = two[0] | two[1] << 16;
  }
  __syncwarp();  // all lanes read at once, before any writes
}

inline void load_matrices(uint32 (&r)[4], const void* row) { load_four_matrices(r, row, false); }

inline void load_matrices_transposed(uint32 (&r)[4], const void* row) {
  load_four_matrices(r, row, true);
}

inline float element_of_pair(uint64_t pair, int index) {
  return float_of_bf16((unsigned)(pair >> 16 * index) & 0xffff);
}

// c [16 x 8] += a [16 x 16] b [16 x 8], spread over the lanes of a warp as PTX has it.
inline void mma_16(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  Shown& shown = next_shown();
  uint64_t(&mine)[8] = shown[own_lane()];
  for (int i = 0; i < 4; i++) mine[i] = a[i];
  mine[4] = b0;
  mine[5] = b1;
  __syncwarp();
  const int g = own_lane() / 4;
  const int t = own_lane() % 4;
  for (int i = 0; i < 4; i++) {
    const int row = g + i / 2 * 8;
    const int column = 2 * t + i % 2;
    float sum = 0;
    for (int k = 0; k < 16; k++) {
      const uint64_t pair_a = shown[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
      const uint64_t pair_b = shown[column * 4 + k % 8 / 2][4 + k / 8];
      sum += element_of_pair(pair_a, k % 2) * element_of_pair(pair_b, k % 2);
    }
    c[i] += sum;
  }
}

inline uint32 pair_of(float low, float high) {
  return (uint32)bf16_of(low) | (uint32)bf16_of(high) << 16;
}

inline uint32 both_low(uint32 elements) { return (elements & 0xffff) | elements << 16; }

inline uint32 both_high(uint32 elements) { return elements >> 16 | (elements & 0xffff0000u); }

inline uint32 feature_times(uint32 a, uint32 b) {
  return pair_of(element_of_pair(a, 0) * element_of_pair(b, 0),
                 element_of_pair(a, 1) * element_of_pair(b, 1));
}

inline element element_of(float value) { return bf16_of(value); }
