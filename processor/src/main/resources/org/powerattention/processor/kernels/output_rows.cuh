#pragma once
// What output_pass and attention hold of their rows, and how they write them.

// The output rows of one warp: kRowBlocks blocks of 16. A lane holds rows g and g + 8 of each, and
// of every 8 value columns the two from 2t on.
struct OutputRows {
  float sums[kRowBlocks][kHeadDim / 8][4];
#if NORMALIZED
  float weights[kRowBlocks][2];  // this lane's share of the rows' sums of weights
#endif
};

// <q, k>^p
__device__ __forceinline__ float power(float score) {
#if DEGREE == 1
  return score;
#elif DEGREE == 2
  return score * score;
#elif DEGREE == 3
  return score * score * score;
#else
  const float square = score * score;
  return square * square;
#endif
}

// What a block needs to know of its keys.
struct KeyRange {
  const element* k;
  const element* v;
  int64 k_stride;
  int64 v_stride;
  bool k_aligned;
  bool v_aligned;
  int64 first;  // first key: the chunk's state_start
  int64 end;    // one past the last key: the last query row's token
  int64 row;    // token of the block's first query row
#if GATED
  int64 chunk;
  const double* gate_sum;
  double gate_row;  // G of the first query row, from the chunk's first token on
#endif
};

// Of which rows a block is.
struct OutputBlock {
  Sequence sequence;
  int64 batch;
  int64 query_head;
  int64 head;
  int64 chunk;
  KeyRange keys;

  // Among all heads of the batch.
  __device__ __forceinline__ int64 batch_head(const Arguments& args) const {
    return batch * args.query_heads + query_head;
  }

  // Whether there is something to do.
  __device__ __forceinline__ bool locate(const Arguments& args, bool with_state) {
    const uint32 tiles = (uint32)((args.chunk + kOutputRows - 1) / kOutputRows);  // of a chunk
    const RowTile tile(tiles, true);
    batch = tile.head / args.query_heads;
    query_head = tile.head % args.query_heads;
    head = query_head / (args.query_heads / args.key_heads);
    sequence = sequence_of(args, batch);
    chunk = with_state ? tile.index / tiles : 0;  // without a state all is one chunk
    const int64 chunk_first = chunk * args.chunk;
    keys.first = state_start(args, sequence, chunk);
    keys.row = chunk_first + (with_state ? tile.index % tiles : tile.index) * kOutputRows;
    keys.end = min(min(keys.row + kOutputRows, chunk_first + args.chunk), sequence.tokens);
    if (keys.row >= keys.end || keys.end <= args.query_start) return false;
    keys.k = head_rows(args.k, args.k_strides, sequence, batch, head);
    keys.v = head_rows(args.v, args.v_strides, sequence, batch, head);
    keys.k_stride = args.k_strides.token;
    keys.v_stride = args.v_strides.token;
    keys.k_aligned = is_aligned(args.k, args.k_strides);
    keys.v_aligned = is_aligned(args.v, args.v_strides);
#if GATED
    keys.chunk = chunk;
    keys.gate_sum = args.gate_sum + token_place(args, sequence, head);
    keys.gate_row = keys.gate_sum[keys.row];
#endif
    return true;
  }
};

// y = sums / weights, or sums * output_scale, of rows [first, end) from query_start on.
__device__ __forceinline__ void write_rows(
    const Arguments& args, const OutputRows& rows, const Sequence& sequence, int64 batch,
    int64 query_head, int64 first, int64 end) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  float factors[kRowBlocks][2];
#if NORMALIZED
  float weights[kRowBlocks][2];
#endif
  for (int r = 0; r < kRowBlocks; r++) {
    for (int c = 0; c < 2; c++) {
#if NORMALIZED
      float weight = rows.weights[r][c];
      weight += __shfl_xor_sync(0xffffffff, weight, 1);
      weight += __shfl_xor_sync(0xffffffff, weight, 2);
      weights[r][c] = weight;
      factors[r][c] = weight == 0.0f ? 0.0f : 1.0f / weight;
#else
      factors[r][c] = (float)args.output_scale;
#endif
    }
  }
  element* y = head_rows(args.y, args.y_strides, sequence, batch, query_head);
  const bool aligned = is_aligned(args.y, args.y_strides);
#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
#pragma unroll
    for (int c = 0; c < 2; c++) {
      const int64 row = first + threadIdx.x / 32 * (kRowBlocks * 16) + r * 16 + c * 8 + g;
      if (row < args.query_start || row >= end) continue;
#if NORMALIZED
      if (args.saved_outputs != nullptr) {
        const int64 place = (sequence.rows + row) * args.query_heads + query_head;
        if (t == 0) args.saved_weights[place] = weights[r][c];
#pragma unroll
        for (int n = 0; n < kHeadDim / 8; n++) {
          reinterpret_cast<float2*>(args.saved_outputs + place * kHeadDim)[n * 4 + t] =
              make_float2(rows.sums[r][n][2 * c] * factors[r][c],
                          rows.sums[r][n][2 * c + 1] * factors[r][c]);
        }
      }
#endif
      if (args.y == nullptr) continue;
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
        element* target =
            y + (row - args.query_start) * args.y_strides.token + n * 8 + 2 * t;
        const float low = rows.sums[r][n][2 * c] * factors[r][c];
        const float high = rows.sums[r][n][2 * c + 1] * factors[r][c];
        if (aligned) {
          *reinterpret_cast<uint32*>(target) = elements_of(low, high);
        } else {
          target[0] = element_of(low);
          target[1] = element_of(high);
        }
      }
    }
  }
}
