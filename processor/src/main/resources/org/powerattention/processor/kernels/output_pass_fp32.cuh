#pragma once

constexpr int kStep = 32;  // keys, or features, of a step
constexpr int kStepStride = kStep + 4;

struct OutputShared {
  float q[kOutputRows][kRowStride];
  float k[kStep][kRowStride];
  float v[kStep][kRowStride];             // values, or S of a step's features
  float weights[kOutputRows][kStepStride];  // w_ij of a step's keys, or phi(q)
#if NORMALIZED
  float key_sums[kStep];  // z of a step's features
#endif
  Feature features[kStep];
};
static_assert(sizeof(OutputShared) == kOutputSharedBytes, "the launch must match");

// A thread's part of the output: four rows, every 16th value column.
struct OutputRows {
  float sums[4][kColumns];
  float weights[4];  // the rows' sums of weights, alike in all threads of the rows
  int row;           // the first
  int column;        // the first
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

// rows += weights v over one step, summed apart first: long sums of small terms keep their
// precision.
__device__ __forceinline__ void add_step(OutputRows& rows, const OutputShared& shared) {
  float sums[4][kColumns] = {};
  for (int i = 0; i < kStep; i += 4) {
    float weights[4][4];
    for (int r = 0; r < 4; r++) {
      const float4 four = *reinterpret_cast<const float4*>(&shared.weights[rows.row + r][i]);
      weights[r][0] = four.x;
      weights[r][1] = four.y;
      weights[r][2] = four.z;
      weights[r][3] = four.w;
    }
    for (int e = 0; e < 4; e++) {
      for (int c = 0; c < kColumns; c++) {
        const float value = shared.v[i + e][rows.column + c * 16];
        for (int r = 0; r < 4; r++) sums[r][c] = fmaf(weights[r][e], value, sums[r][c]);
      }
    }
  }
  for (int r = 0; r < 4; r++) {
    for (int c = 0; c < kColumns; c++) rows.sums[r][c] += sums[r][c];
  }
}

// rows += phi(Q) S, and its sum of weights phi(Q) z.
__device__ __forceinline__ void read_from_state(
    OutputRows& rows, OutputShared& shared, const float* snapshot) {
  for (int first = 0; first < kFeatures; first += kStep) {
    __syncthreads();  // the last step is done
    if (threadIdx.x < kStep) {
      const int feature = first + threadIdx.x;
      shared.features[threadIdx.x].locate(feature);
#if NORMALIZED
      shared.key_sums[threadIdx.x] =
          feature < kFeatures ? snapshot[(int64)kFeatures * kHeadDim + feature] : 0.0f;
#endif
    }
    load_rows(&shared.v[0][0], kRowStride, snapshot, kHeadDim, first, kFeatures, kStep,
              kOutputThreads);
    __syncthreads();  // S, z and the features of this step are there
    for (int i = threadIdx.x; i < kOutputRows * kStep; i += kOutputThreads) {
      shared.weights[i / kStep][i % kStep] = shared.features[i % kStep].of(shared.q[i / kStep]);
    }
    __syncthreads();  // phi(q) is complete
    add_step(rows, shared);
#if NORMALIZED
    for (int r = 0; r < 4; r++) {
      float sum = 0;
      for (int i = 0; i < kStep; i++) {
        sum = fmaf(shared.weights[rows.row + r][i], shared.key_sums[i], sum);
      }
      rows.weights[r] += sum;
    }
#endif
  }
}

#if GATED
// A difference of cumulative log gates as a sum of two floats, so that a difference of two of these
// is exact to fp32 wherever it matters.
struct Gate {
  float high;
  float low;

  __device__ __forceinline__ explicit Gate(double value)
      : high((float)value), low((float)(value - (double)(float)value)) {}
};
#endif

// y of kOutputRows tokens of one query head; a thread has four rows.
__device__ __forceinline__ void output(const Arguments& args, bool with_state) {
  OutputShared& shared = *reinterpret_cast<OutputShared*>(shared_memory);
  const uint32 tiles = (uint32)((args.chunk + kOutputRows - 1) / kOutputRows);  // of a chunk
  const RowTile tile(tiles, true);
  const int64 batch = tile.head / args.query_heads;
  const int64 query_head = tile.head % args.query_heads;
  const int64 head = query_head / (args.query_heads / args.key_heads);
  const Sequence sequence = sequence_of(args, batch);
  const int64 chunk = tile.index / tiles;
  const int64 chunk_first = chunk * args.chunk;
  const int64 first_row = chunk_first + tile.index % tiles * kOutputRows;
  const int64 end = min(min(first_row + kOutputRows, chunk_first + args.chunk), sequence.tokens);
  if (first_row >= end || end <= args.query_start) return;
  const element* k = head_rows(args.k, args.k_strides, sequence, batch, head);
  const element* v = head_rows(args.v, args.v_strides, sequence, batch, head);

  OutputRows rows{};
  rows.row = threadIdx.x / 16 * 4;
  rows.column = threadIdx.x % 16;
  // Rows before query_start have no query: what they find in its place is not written.
  const int skipped = (int)max(args.query_start - first_row, (int64)0);
  load_rows(&shared.q[skipped][0], kRowStride,
            head_rows(args.q, args.q_strides, sequence, batch, query_head), args.q_strides.token,
            first_row + skipped - args.query_start, end - args.query_start, kOutputRows - skipped,
            kOutputThreads);
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  if (with_state && (chunk > 0 || args.initial_sums != nullptr)) {
    read_from_state(
        rows, shared,
        reinterpret_cast<const float*>(
            args.snapshots + chunk_place(args, sequence, head, chunk) * kSnapshotBytes));
    for (int r = 0; r < 4; r++) {
      const float* joint = joint_row(args, tile.head, chunk, first_row + rows.row + r);
      if (joint != nullptr) {
        for (int c = 0; c < kColumns; c++) rows.sums[r][c] = joint[rows.column + c * 16];
#if NORMALIZED
        rows.weights[r] = joint[kHeadDim];
#endif
      }
      // Weights of an even degree are not negative: what is, is rounding.
      rows.weights[r] = fmaxf(rows.weights[r], 0.0f);
#if GATED
      const float decay = expf((float)(gate_sum[min(first_row + rows.row + r, end - 1)] -
                                       gate_before(args, gate_sum, chunk)));
      rows.weights[r] *= decay;
      for (int c = 0; c < kColumns; c++) rows.sums[r][c] *= decay;
#endif
    }
  }

  for (int64 first = state_start(args, sequence, chunk); first < end; first += kStep) {
    __syncthreads();  // the last step is done
    load_rows(&shared.k[0][0], kRowStride, k, args.k_strides.token, first, end, kStep,
              kOutputThreads);
    load_rows(&shared.v[0][0], kRowStride, v, args.v_strides.token, first, end, kStep,
              kOutputThreads);
    __syncthreads();  // q, k and v are loaded
    float scores[4][2] = {};
    for (int d = 0; d < kHeadDim; d += 4) {
      float4 keys[2];
      for (int n = 0; n < 2; n++) {
        keys[n] = *reinterpret_cast<const float4*>(&shared.k[rows.column + n * 16][d]);
      }
      for (int r = 0; r < 4; r++) {
        const float4 query = *reinterpret_cast<const float4*>(&shared.q[rows.row + r][d]);
        for (int n = 0; n < 2; n++) {
          scores[r][n] = fmaf(query.x, keys[n].x, scores[r][n]);
          scores[r][n] = fmaf(query.y, keys[n].y, scores[r][n]);
          scores[r][n] = fmaf(query.z, keys[n].z, scores[r][n]);
          scores[r][n] = fmaf(query.w, keys[n].w, scores[r][n]);
        }
      }
    }
    for (int n = 0; n < 2; n++) {
      const int64 j = first + rows.column + n * 16;
#if GATED
      const double gate_row = gate_sum[first_row];
      const Gate key_gate(gate_at(args, gate_sum, chunk, min(j, end - 1)) - gate_row);
#endif
      for (int r = 0; r < 4; r++) {
        const int64 i = first_row + rows.row + r;
        float weight = power(scores[r][n]);
#if GATED
        const Gate row_gate(gate_sum[min(i, end - 1)] - gate_row);
        weight *= expf((row_gate.high - key_gate.high) + (row_gate.low - key_gate.low));
#endif
        shared.weights[rows.row + r][rows.column + n * 16] = j <= i ? weight : 0.0f;
      }
    }
    __syncthreads();  // weights are complete
    add_step(rows, shared);
#if NORMALIZED
    for (int r = 0; r < 4; r++) {
      float sum = 0;
      for (int i = 0; i < kStep; i++) sum += shared.weights[rows.row + r][i];
      rows.weights[r] += sum;
    }
#endif
  }

  element* y = head_rows(args.y, args.y_strides, sequence, batch, query_head);
  for (int r = 0; r < 4; r++) {
    const int64 row = first_row + rows.row + r;
    if (row < args.query_start || row >= end) continue;
#if NORMALIZED
    const float factor = rows.weights[r] == 0.0f ? 0.0f : 1.0f / rows.weights[r];
    if (args.saved_outputs != nullptr) {
      const int64 place = (sequence.rows + row) * args.query_heads + query_head;
      if (rows.column == 0) args.saved_weights[place] = rows.weights[r];
      for (int c = 0; c < kColumns; c++) {
        args.saved_outputs[place * kHeadDim + rows.column + c * 16] = rows.sums[r][c] * factor;
      }
    }
#else
    const float factor = (float)args.output_scale;
#endif
    if (args.y == nullptr) continue;
    for (int c = 0; c < kColumns; c++) {
      y[(row - args.query_start) * args.y_strides.token + rows.column + c * 16] =
          rows.sums[r][c] * factor;
    }
  }
}

// Chunked form: y_i = exp(G_i) phi(q_i) S + sum_j w_ij v_j over the chunk and the tokens before it
// that S leaves out. Grid (row tiles, batch * query_heads).
extern "C" __global__ __launch_bounds__(kOutputThreads)
void output_pass(const __grid_constant__ Arguments args) {
  output(args, true);
}

// Attention form: the chunk is the whole sequence. Same grid.
extern "C" __global__ __launch_bounds__(kOutputThreads)
void attention(const __grid_constant__ Arguments args) {
  output(args, false);
}
