#pragma once
// The bringing warpgroup of a walk.

// Rows of a head whose tokens are brought.
struct TokenRange {
  const element* k;
  const element* v;
  int64 k_stride;
  int64 v_stride;
  bool k_aligned;
  bool v_aligned;
};

// What a thread of the bringing warpgroup knows of one token of the step that it brings next; it is
// loaded a step before it is needed, and nothing is done with it until then, so that no warp waits
// for it. Its numbers are those of `Terms`, which has
//   Numbers load(token)                 loads them
//   float weight(numbers, token)        the token's weight in the sum
//   kCounts                             whether each counts once in z; otherwise there is
//   TwoElements sum_factors(numbers)    what multiplies its features there: the sum of both

// The bringing warpgroup copies so many rows at a time; a thread has the same 8 columns each time.
constexpr int kCopyRows = kPieces > 8 ? 8 : kPieces > 4 ? 16 : kPieces > 2 ? 32 : 64;

// Starts copying a step's rows, of which the first `count` are read and the others zero. `source` is
// what the thread copies first, place(row) where it goes, of rows from the thread's own on.
template <typename Place>
__device__ __forceinline__ void copy_rows(
    int thread, const element* source, int64 stride, int count, Place place) {
  if (kCopyRows * kPieces < kGroup && thread >= kCopyRows * kPieces) return;
  if (count >= kStateTokens) {
    // All addresses first: a copy under way keeps the registers of its own.
    const element* sources[kStateTokens / kCopyRows];
#pragma unroll
    for (int i = 0; i < kStateTokens / kCopyRows; i++) sources[i] = source + i * kCopyRows * stride;
#pragma unroll
    for (int i = 0; i < kStateTokens / kCopyRows; i++) {
      copy_async_16(place(i * kCopyRows), sources[i], true);
    }
  } else {
    const int left = count - thread / kPieces;
#pragma unroll 1
    for (int row = 0; row < kStateTokens; row += kCopyRows) {
      copy_async_16(place(row), row < left ? source + row * stride : source, row < left);
    }
  }
}

// Starts copying the keys of a step as they are. Every other 16 rows have neighbouring pieces of 8
// dimensions exchanged, which spreads what a warp reads over the banks.
__device__ __forceinline__ void bring_keys(
    RawKeys& keys, int thread, const element* source, int64 stride, int count) {
  copy_rows(thread, source, stride, count, [&](int row) {
    const int own_row = thread / kPieces;
    // Up to 16 rows at a time lie within the same 16.
    const int exchanged = kCopyRows > 16 ? own_row / 16 % 2 : row / 16 % 2;
    return &keys.rows[own_row + row][(thread % kPieces ^ exchanged) * 8];
  });
}

// Transposes a step's keys into lane order: a thread takes the four tokens that are neighbours there,
// of 8 dimensions.
__device__ __forceinline__ void store_keys(
    StateStep& step, const RawKeys& keys, int thread) {
#pragma unroll
  for (int i = 0; i < (kStateTokens / 4 * kPieces + kGroup - 1) / kGroup; i++) {
    const int piece = i * kGroup + thread;
    const int dimension = piece / 16 * 8;
    const int place = piece % 16 * 4;
    if (kStateTokens / 4 * kPieces % kGroup != 0 && dimension >= kHeadDim) break;
    uint32 rows[4][4];
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int row = piece % 16 / 4 * 16 + piece % 4 * 2 + e % 2 + e / 2 * 8;
      const uint4 words = *reinterpret_cast<const uint4*>(
          &keys.rows[row][dimension ^ row / 16 % 2 * 8]);
      rows[e][0] = words.x;
      rows[e][1] = words.y;
      rows[e][2] = words.z;
      rows[e][3] = words.w;
    }
    const float4 weight = *reinterpret_cast<const float4*>(&keys.weights[place]);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      const int take = e % 2 == 0 ? 0x5410 : 0x7632;
      uint2 four;
      four.x = __byte_perm(rows[0][e / 2], rows[1][e / 2], take);
      four.y = __byte_perm(rows[2][e / 2], rows[3][e / 2], take);
#if DEGREE > 1
      *reinterpret_cast<uint2*>(&step.keys[dimension + e][place]) = four;
#endif
      four.x = elements_of(low_of(four.x) * weight.x, high_of(four.x) * weight.y);
      four.y = elements_of(low_of(four.y) * weight.z, high_of(four.y) * weight.w);
      *reinterpret_cast<uint2*>(&step.weighted_keys[dimension + e][place]) = four;
    }
  }
}

// The same for rows that cannot be read 16 bytes at a time.
__device__ __forceinline__ void store_unaligned_keys(
    StateStep& step, const TokenRange& range, int64 first, int64 end, const float* weights) {
#pragma unroll 1
  for (int i = threadIdx.x % kGroup; i < kStateTokens * kHeadDim; i += kGroup) {
    const int place = lane_order(i / kHeadDim);
    const int dimension = i % kHeadDim;
    const int64 token = min(first + i / kHeadDim, end - 1);
    const element key = range.k[token * range.k_stride + dimension];
#if DEGREE > 1
    step.keys[dimension][place] = key;
#endif
    step.weighted_keys[dimension][place] = element_of(float_of(key) * weights[place]);
  }
}

// Starts copying a step's values.
__device__ __forceinline__ void bring_values(
    StateValues& values, int thread, const element* source, int64 stride, int count) {
  element* target = values + panel_place<kStateTokens>(thread / kPieces, thread % kPieces * 8);
  copy_rows(thread, source, stride, count, [&](int row) { return target + row * kPanelColumns; });
}

// The same for values that cannot be read 16 bytes at a time.
__device__ __forceinline__ void bring_unaligned_values(
    StateValues& values, int thread, const element* rows, int64 stride, int count) {
#pragma unroll 1
  for (int i = thread; i < kStateTokens * kHeadDim; i += kGroup) {
    const int row = i / kHeadDim;
    const int column = i % kHeadDim;
    values[panel_place<kStateTokens>(row, column)] =
        row < count ? rows[row * stride + column] : (element)0;
  }
}

#if NORMALIZED
// A number as the sum of two elements.
__device__ __forceinline__ TwoElements two_parts(float value) {
  const float high = float_of(element_of(value));
  return elements_of(high, value - high);
}

// Writes the columns of a step's values that are summed up in z, each thread a token's.
__device__ __forceinline__ void write_sum_factors(
    StateValues& values, int thread, TwoElements factors) {
  if (thread >= kStateTokens) return;
  *reinterpret_cast<uint4*>(values + panel_place<kStateTokens>(thread, kHeadDim)) =
      make_uint4(factors, 0, 0, 0);
}
#endif

// Brings tokens [first, end), at least one, of a chunk, to `place` and those that follow.
template <typename Weights>
__device__ __forceinline__ void bring_tokens(
    StateShared& shared, const TokenRange& range, const Weights& weights, int64 first, int64 end,
    StepPlace& place) {
  int thread = threadIdx.x % kGroup;
  keep(thread);
  const int own_row = thread / kPieces;
  const int own_column = thread % kPieces * 8;
  // Keys are under way for two steps, copied rather than loaded: a register that is loaded counts with
  // all others that are, and a thread that needs one waits for all. So only numbers are.
  const element* k = range.k + (first + own_row) * range.k_stride + own_column;
  const element* v = range.v + (first + own_row) * range.v_stride + own_column;
  int left = (int)(end - first);  // tokens from the step on
  int keys_left = left;           // and from the step whose keys are brought next
  const auto bring_next_keys = [&](int raw) {
    if (range.k_aligned && keys_left > 0) {
      bring_keys(shared.keys[raw], thread, k, range.k_stride, keys_left);
      k += kStateTokens * range.k_stride;
      keys_left -= kStateTokens;
    }
    copy_commit();
  };
  typename Weights::Numbers numbers{};
  const auto load_numbers = [&](int token) {
    if (thread < kStateTokens) numbers = weights.load(first + min(token, (int)(end - first) - 1));
  };
  group_sync(1, kGroup);  // the keys of the last call are read
#pragma unroll
  for (int i = 0; i < kRawStages - 1; i++) bring_next_keys(i);
  load_numbers(thread);
  int raw = 0;
  int token = thread;  // of those of the call, this thread's of the step
#pragma unroll 1
  for (; left > 0; left -= kStateTokens, place.advance()) {
    StateStep& target = shared.steps[place.stage];
    StateValues& values = shared.values[place.stage];
    uint64& full = shared.full[place.stage];
    RawKeys& keys = shared.keys[raw];
#if NORMALIZED
    TwoElements factors = 0;
#endif
    if (thread < kStateTokens) {
      const bool valid = thread < left;
#if NORMALIZED
      if constexpr (!Weights::kCounts) {
        if (valid) factors = two_parts(weights.sum_factor(numbers));
      }
#endif
      keys.weights[lane_order(thread)] = valid ? weights.weight(numbers, first + token) : 0.0f;
    }
    token += kStateTokens;
    load_numbers(token);
    if (kRawStages > 2) {
      copy_wait_but_latest();
    } else {
      copy_wait();
    }
    group_sync(1, kGroup);  // the weights and keys of this step are there, the last ones' read
    barrier_wait(shared.empty[place.stage], place.parity ^ 1);
    if (range.v_aligned) {
      bring_values(values, thread, v, range.v_stride, left);
    } else {
      bring_unaligned_values(
          values, thread, v - own_row * range.v_stride - own_column, range.v_stride, left);
    }
    v += kStateTokens * range.v_stride;
#if NORMALIZED
    if constexpr (!Weights::kCounts) write_sum_factors(values, thread, factors);
#endif
    barrier_arrive_when_copied(full);
    bring_next_keys(raw == 0 ? kRawStages - 1 : raw - 1);
    if (range.k_aligned) {
      store_keys(target, keys, thread);
    } else {
      store_unaligned_keys(target, range, end - left, end, keys.weights);
    }
    barrier_arrive(full);
    raw = raw == kRawStages - 1 ? 0 : raw + 1;
  }
}
