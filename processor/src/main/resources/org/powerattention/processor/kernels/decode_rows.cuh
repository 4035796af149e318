#pragma once

// What a thread gathers of kRows query rows: four value columns of y over its features and tokens,
// and the weights of its own items.
template <int kRows>
struct DecodeRows {
  static constexpr int kItems = kRows < 4 ? 1 : 4;  // items that a thread computes at a time
  static constexpr int kStride = kRows < 4 ? 1 : kRows + 4;
  static constexpr int kTurns = (kRows / kItems + kItemGroups - 1) / kItemGroups;
  // Reads of S or V that a thread has under way: as many as registers allow.
  static constexpr int kReads = kRows < 8 || kPasses < 4 ? kPasses : 4;

  float sums[kRows][4];
#if NORMALIZED
  float state_weights[kTurns][kItems];
  float window_weights[kTurns][kItems];
#endif

  // Calls body(turn, row) for the first row of each set of items that this thread computes.
  template <typename Body>
  static __device__ __forceinline__ void for_own_items(Body body) {
    const int group = threadIdx.x / kDecodeFeatures;
#pragma unroll
    for (int turn = 0; turn < kTurns; turn++) {
      const int row = (turn * kItemGroups + group) * kItems;
      if (group < kItemGroups && row < kRows) body(turn, row);
    }
  }

  static __device__ __forceinline__ void store(float* items, int item, int row, const float* own) {
    if constexpr (kItems == 1) {
      items[item] = own[0];
    } else {
      *reinterpret_cast<float4*>(&items[item * kStride + row]) =
          make_float4(own[0], own[1], own[2], own[3]);
    }
  }

  // sums += items times the rows of S or V that this thread has read, `item` being the first.
  __device__ __forceinline__ void add(const float* items, const float4 (&read)[kReads], int item) {
#pragma unroll
    for (int r = 0; r < kReads; r++) {
      const float* place = items + (item + r * kFeatureLanes) * kStride;
#pragma unroll
      for (int row = 0; row < kRows; row += kItems) {
        float factors[kItems];
        if constexpr (kItems == 1) {
          factors[0] = place[0];
        } else {
          const float4 four = *reinterpret_cast<const float4*>(place + row);
          factors[0] = four.x;
          factors[1] = four.y;
          factors[2] = four.z;
          factors[3] = four.w;
        }
#pragma unroll
        for (int i = 0; i < kItems; i++) {
          sums[row + i][0] = fmaf(factors[i], read[r].x, sums[row + i][0]);
          sums[row + i][1] = fmaf(factors[i], read[r].y, sums[row + i][1]);
          sums[row + i][2] = fmaf(factors[i], read[r].z, sums[row + i][2]);
          sums[row + i][3] = fmaf(factors[i], read[r].w, sums[row + i][3]);
        }
      }
    }
  }
};

// rows += phi(Q) S over a block's features. What a thread reads of S next is under way while it adds
// what it has read. It is read once, so it need not stay in a cache.
template <int kRows>
__device__ __forceinline__ void add_state(
    DecodeRows<kRows>& rows, const ServingArguments& args, ServingShared& shared,
    const WalkPlace& place) {
  typedef DecodeRows<kRows> Rows;
  const int item = threadIdx.x % kDecodeFeatures;
  const int lane = threadIdx.x / kRowThreads;
  const float* sums = args.sums + (int64)place.batch_head * kFeatures * kHeadDim +
                      threadIdx.x % kRowThreads * 4;
  const auto read = [&](float4 (&state)[Rows::kReads], int first) {
#pragma unroll
    for (int r = 0; r < Rows::kReads; r++) {
      const int feature = first + r * kFeatureLanes + lane;
      state[r] = feature < kFeatures ? __ldcs(reinterpret_cast<const float4*>(
                                           sums + (int64)feature * kHeadDim))
                                     : make_float4(0, 0, 0, 0);
    }
  };
#if NORMALIZED
  const float* key_sums = args.key_sums + (int64)place.batch_head * kFeatures;
  const auto read_key_sum = [&](int base) {
    return base + item < kFeatures ? key_sums[base + item] : 0.0f;
  };
  float key_sum = read_key_sum(place.first);
  float features[Rows::kTurns][Rows::kItems] = {};
#endif
  float4 state[Rows::kReads];
  read(state, place.first);
  FeatureWalk walk(place.first + item);
  // phi(q) of a step
  const auto write_features = [&](int buffer) {
    Rows::for_own_items([&](int turn, int row) {
      const float multiplicity = walk.multiplicity();
      float own[Rows::kItems];
#pragma unroll
      for (int i = 0; i < Rows::kItems; i++) {
        own[i] = multiplicity * walk.of(shared.queries[row + i]);
#if NORMALIZED
        features[turn][i] = own[i];
#endif
      }
      Rows::store(shared.items[buffer], item, row, own);
    });
    walk.advance();
  };
  write_features(0);
  __syncthreads();  // phi(q) of the first step is complete
  int buffer = 0;
#pragma unroll 1
  for (int base = place.first; base < place.end; base += kDecodeFeatures, buffer ^= 1) {
    const bool more = base + kDecodeFeatures < place.end;
#if NORMALIZED
    const float next_key_sum = more ? read_key_sum(base + kDecodeFeatures) : 0.0f;
#endif
#pragma unroll
    for (int part = 0; part < kPasses; part += Rows::kReads) {
      const bool last = part + Rows::kReads == kPasses;
      float4 next[Rows::kReads] = {};
      if (!last || more) read(next, base + (part + Rows::kReads) * kFeatureLanes);
      rows.add(shared.items[buffer], state, part * kFeatureLanes + lane);
#pragma unroll
      for (int r = 0; r < Rows::kReads; r++) state[r] = next[r];
    }
#if NORMALIZED
    Rows::for_own_items([&](int turn, int) {
#pragma unroll
      for (int i = 0; i < Rows::kItems; i++) {
        rows.state_weights[turn][i] = fmaf(features[turn][i], key_sum, rows.state_weights[turn][i]);
      }
    });
    key_sum = next_key_sum;
#endif
    if (more) write_features(buffer ^ 1);
    __syncthreads();  // phi(q) of the next step is complete; everyone is done with this one's
  }
}

// Tokens that a block attends to, counted as in the window; the one after its last is the new one.
struct TokenRange {
  int first;
  int end;

  // A split's share of the tokens from `first` up to and including the new one.
  __device__ __forceinline__ TokenRange(int first, int length, int split, int splits) {
    const int share = (length - first + splits) / splits;  // of length - first + 1, rounded up
    this->first = min(first + split * share, length + 1);
    end = min(this->first + share, length + 1);
  }
};

// rows += w V over some tokens, w = <q, k>^p exp(gates - sum of the log gates up to the token).
template <int kRows>
__device__ __forceinline__ void add_tokens(
    DecodeRows<kRows>& rows, const ServingArguments& args, ServingShared& shared,
    const Window& window, const TokenRange& tokens, double gates) {
  typedef DecodeRows<kRows> Rows;
  const int item = threadIdx.x % kDecodeFeatures;
  const int lane = threadIdx.x / kRowThreads;
  const int column = threadIdx.x % kRowThreads * 4;
  const int64 batch = window.batch_head / (int)args.key_heads;
  const int64 head = window.batch_head % (int)args.key_heads;
  const element* new_key = args.k + batch * args.k_strides.batch + head * args.k_strides.head;
  const element* new_value = args.v + batch * args.v_strides.batch + head * args.v_strides.head;
  for (int base = tokens.first; base < tokens.end; base += kTokens) {
    __syncthreads();  // the last step's keys and items are done with
#pragma unroll
    for (int part = 0; part < kPasses; part += Rows::kReads) {
      float4 values[Rows::kReads];
#pragma unroll
      for (int r = 0; r < Rows::kReads; r++) {
        const int token = base + (part + r) * kFeatureLanes + lane;
        values[r] = make_float4(0, 0, 0, 0);
        if (token < min(tokens.end, window.length)) values[r] = window.value(args, token, column);
        if (token < tokens.end && token == window.length) {
          values[r] = floats_of(load_quad(new_value + column, false));
        }
      }
      if (part == 0) {
        for (int i = threadIdx.x; i < kTokens * kRowThreads; i += kDecodeThreads) {
          const int token = base + i / kRowThreads;
          if (token >= tokens.end) break;
          const float4 key = token < window.length
                                 ? window.key(args, token, column)
                                 : floats_of(load_quad(new_key + column, false));
          *reinterpret_cast<float4*>(&shared.keys[i / kRowThreads][column]) = key;
        }
        __syncthreads();  // keys are there
        Rows::for_own_items([&](int turn, int row) {
          float weights[Rows::kItems] = {};
          const int token = base + item;
          if (token < tokens.end) {
#pragma unroll 4
            for (int d = 0; d < kHeadDim; d += 4) {
              const float4 key = *reinterpret_cast<const float4*>(&shared.keys[item][d]);
#pragma unroll
              for (int i = 0; i < Rows::kItems; i++) {
                const float4 query = *reinterpret_cast<const float4*>(&shared.queries[row + i][d]);
                weights[i] = fmaf(query.x, key.x, weights[i]);
                weights[i] = fmaf(query.y, key.y, weights[i]);
                weights[i] = fmaf(query.z, key.z, weights[i]);
                weights[i] = fmaf(query.w, key.w, weights[i]);
              }
            }
            float decay = 1;
#if GATED
            if (token < window.length) decay = expf((float)(gates - shared.before[token + 1]));
#endif
#pragma unroll
            for (int i = 0; i < Rows::kItems; i++) {
              const float score = weights[i];
              weights[i] = decay;
#pragma unroll
              for (int factor = 0; factor < kDegree; factor++) weights[i] *= score;
#if NORMALIZED
              rows.window_weights[turn][i] += weights[i];
#endif
            }
          }
          Rows::store(shared.items[0], item, row, weights);
        });
        __syncthreads();  // weights are complete
      }
      rows.add(shared.items[0], values, part * kFeatureLanes + lane);
    }
  }
}

// Adds the threads' parts of rows and leaves them in the workspace, in an order that is always the
// same: y, then the sums of weights from the state and from the window.
template <int kRows>
__device__ __forceinline__ void store_partials(
    DecodeRows<kRows>& rows, const ServingArguments& args, ServingShared& shared, float* partials,
    int valid, float decay) {
  typedef DecodeRows<kRows> Rows;
  const int64 stride = args.splits * kPartialNumbers;  // from row to row
  float* parts = &shared.values[0][0];
  static_assert(kDecodeThreads * 4 <= kTokens * kHeadDim, "a row's parts fit");
#pragma unroll
  for (int row = 0; row < kRows; row++) {
    if (row >= valid) break;
    __syncthreads();  // the last row is done
    *reinterpret_cast<float4*>(&parts[threadIdx.x * 4]) = make_float4(
        rows.sums[row][0], rows.sums[row][1], rows.sums[row][2], rows.sums[row][3]);
    __syncthreads();  // all parts of this row are there
    if (threadIdx.x < kHeadDim) {
      float sum = 0;
#pragma unroll
      for (int lane = 0; lane < kFeatureLanes; lane++) {
        sum += parts[lane * kHeadDim + threadIdx.x];
      }
      partials[row * stride + threadIdx.x] = sum;
    }
  }
#if NORMALIZED
  Rows::for_own_items([&](int turn, int row) {
#pragma unroll
    for (int i = 0; i < Rows::kItems; i++) {
      float state = rows.state_weights[turn][i];
      float window = rows.window_weights[turn][i];
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) {
        state += __shfl_xor_sync(0xffffffff, state, distance);
        window += __shfl_xor_sync(0xffffffff, window, distance);
      }
      if (threadIdx.x % 32 == 0) {
        shared.warp_sums[0][threadIdx.x / 32][row + i] = state * decay;
        shared.warp_sums[1][threadIdx.x / 32][row + i] = window;
      }
    }
  });
  __syncthreads();  // each warp's sums are there
  if (threadIdx.x < 2 * valid) {
    const int row = threadIdx.x / 2;
    const float(*sums)[kMostRows] = shared.warp_sums[threadIdx.x % 2];
    const int warp = row / Rows::kItems % kItemGroups * (kDecodeFeatures / 32);
    partials[row * stride + kHeadDim + threadIdx.x % 2] = sums[warp][row] + sums[warp + 1][row];
  }
#endif
}

// Reads the queries of up to kRows rows of a group; complete after a barrier.
template <int kRows>
__device__ __forceinline__ void load_queries(
    const ServingArguments& args, ServingShared& shared, int batch_head, int first, int valid) {
  const int batch = batch_head / (int)args.key_heads;
  const int head = batch_head % (int)args.key_heads;
  const element* q = args.q + batch * args.q_strides.batch +
                     (head * (args.query_heads / args.key_heads) + first) * args.q_strides.head;
  for (int i = threadIdx.x; i < kRows * kHeadDim; i += kDecodeThreads) {
    const int row = i / kHeadDim;
    shared.queries[row][i % kHeadDim] =
        row < valid ? float_of(q[row * args.q_strides.head + i % kHeadDim]) : 0.0f;
  }
}

// One block's part of a token's y: of all query rows of a key/value head, kRows at a time. Where the
// window is full, its older half first goes into the block's features of the state. The last of a
// head's blocks writes y.
template <int kRows>
__device__ __forceinline__ void decode(const ServingArguments& args) {
  ServingShared& shared = *reinterpret_cast<ServingShared*>(shared_memory);
  const WalkPlace place(args);
  const Window window(args, place.batch_head);
  const int folded = window.length == kWindow ? kHeld : 0;
  const int group = (int)(args.query_heads / args.key_heads);
  const TokenRange tokens(folded, window.length, place.split, (int)args.splits);
  load_queries<kRows>(args, shared, place.batch_head, 0, group);
#if GATED
  const int64 batch = place.batch_head / (int)args.key_heads;
  const int64 head = place.batch_head % (int)args.key_heads;
  const float new_gate = (float)log_gate_of(
      args.log_gate[batch * args.gate_strides.batch + head * args.gate_strides.head]);
  load_gates(args, shared, place.batch_head);
  __syncthreads();  // the log gates are there
  sum_gates(shared, window);
#endif
  if (folded > 0) fold_tokens(args, shared, window, 0, folded, place.first, place.end);

  for (int row = 0; row < group; row += kRows) {
    const int valid = min(group - row, kRows);
    if (row > 0) {
      __syncthreads();  // the last rows are done
      load_queries<kRows>(args, shared, place.batch_head, row, valid);
    }
    __syncthreads();  // queries, sums of gates and the folded state are there
    DecodeRows<kRows> rows{};
    add_state(rows, args, shared, place);
    double gates = 0;  // all from the first token in the window to the new one
    float decay = 1;
#if GATED
    gates = shared.before[window.length] + (double)new_gate;
    decay = expf((float)(gates - shared.before[folded]));
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int c = 0; c < 4; c++) rows.sums[r][c] *= decay;
    }
#endif
    add_tokens(rows, args, shared, window, tokens, gates);
    const int64 query_row = (int64)place.batch_head * group + row;
    store_partials(
        rows, args, shared,
        args.partials + (query_row * args.splits + place.split) * kPartialNumbers, valid, decay);
  }

  if (!is_last(args, place.batch_head)) return;
  for (int row = 0; row < group; row++) {
    write_output(args, shared, (int64)place.batch_head * group + row);
  }
  append_token(args, window, folded);
}

// Grid (splits, batch * key_heads as x = split + splits * head). The more blocks a multiprocessor
// holds, the more reads are under way; shared memory sets the limit for long heads.
extern "C" __global__ __launch_bounds__(kDecodeThreads, kHeadDim > 64 ? 2 : 4)
void decode_rows_1(const __grid_constant__ ServingArguments args) {
  decode<1>(args);
}

extern "C" __global__ __launch_bounds__(kDecodeThreads, kHeadDim > 64 ? 2 : 3)
void decode_rows_4(const __grid_constant__ ServingArguments args) {
  decode<4>(args);
}

extern "C" __global__ __launch_bounds__(kDecodeThreads, 2)
void decode_rows_8(const __grid_constant__ ServingArguments args) {
  decode<8>(args);
}
