#pragma once

constexpr int kCopyThreads = 256;

// What a thread of window_join or window_store copies: four elements of a token's key and value.
struct CopyPlace {
  int64 batch;
  int64 token;
  int64 head;
  int column;

  __device__ __forceinline__ CopyPlace(int64 index, int64 tokens, int64 heads)
      : batch(index / kRowThreads / heads / tokens),
        token(index / kRowThreads / heads % tokens),
        head(index / kRowThreads % heads),
        column((int)(index % kRowThreads) * 4) {}
};

__device__ __forceinline__ void store_quad(element* target, const Quad& quad) {
  *reinterpret_cast<Quad*>(target) = quad;
}

// Joins the latest kHeld tokens of each window, or as many as there are after zeros, which weigh
// nothing, and the tokens of the call. Grid (batch * (kHeld + tokens) * key_heads * kRowThreads
// threads).
extern "C" __global__ __launch_bounds__(kCopyThreads)
void window_join(const __grid_constant__ ServingArguments args) {
  const int64 index = blockIdx.x * (int64)kCopyThreads + threadIdx.x;
  const CopyPlace place(index, kHeld + args.tokens, args.key_heads);
  if (place.batch >= args.batch) return;
  const int64 row = index / kRowThreads;
  Quad key = {};
  Quad value = {};
#if GATED
  float log_gate = 0;
#endif
  if (place.token < kHeld) {
    const Window window(args, (int)(place.batch * args.key_heads + place.head));
    const int token = window.length - kHeld + (int)place.token;
    if (token >= 0) {
      const int64 slot = window.slot(token);
      key = load_quad(args.window_keys + slot * kHeadDim + place.column, true);
      value = load_quad(args.window_values + slot * kHeadDim + place.column, true);
#if GATED
      log_gate = args.window_gates[slot];
#endif
    }
  } else {
    const int64 token = place.token - kHeld;
    key = load_quad(
        args.k + place.batch * args.k_strides.batch + token * args.k_strides.token +
            place.head * args.k_strides.head + place.column,
        is_aligned(args.k, args.k_strides));
    value = load_quad(
        args.v + place.batch * args.v_strides.batch + token * args.v_strides.token +
            place.head * args.v_strides.head + place.column,
        is_aligned(args.v, args.v_strides));
#if GATED
    log_gate = args.log_gate[place.batch * args.gate_strides.batch +
                             token * args.gate_strides.token + place.head * args.gate_strides.head];
#endif
  }
  store_quad(args.joined_keys + row * kHeadDim + place.column, key);
  store_quad(args.joined_values + row * kHeadDim + place.column, value);
#if GATED
  if (place.column == 0) args.joined_gates[row] = log_gate;
#endif
}

// Makes the latest kHeld of the joined tokens the windows. Grid (batch * kHeld * key_heads *
// kRowThreads threads).
extern "C" __global__ __launch_bounds__(kCopyThreads)
void window_store(const __grid_constant__ ServingArguments args) {
  const CopyPlace place(
      blockIdx.x * (int64)kCopyThreads + threadIdx.x, kHeld, args.key_heads);
  if (place.batch >= args.batch) return;
  const int64 batch_head = place.batch * args.key_heads + place.head;
  const int64 row =
      (place.batch * (kHeld + args.tokens) + args.tokens + place.token) * args.key_heads +
      place.head;
  const int64 slot = batch_head * kWindow + place.token;
  store_quad(args.window_keys + slot * kHeadDim + place.column,
             load_quad(args.joined_keys + row * kHeadDim + place.column, true));
  store_quad(args.window_values + slot * kHeadDim + place.column,
             load_quad(args.joined_values + row * kHeadDim + place.column, true));
  if (place.column == 0) {
#if GATED
    args.window_gates[slot] = args.joined_gates[row];
#endif
    if (place.token == 0) {
      args.spans[2 * batch_head] = 0;
      args.spans[2 * batch_head + 1] = kHeld;
    }
  }
}
