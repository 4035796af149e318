#pragma once

#if NORMALIZED
constexpr int kJointNumbers = kHeadDim + 1;  // of a row: phi(q) S, phi(q) z
#else
constexpr int kJointNumbers = kHeadDim;  // of a row: phi(q) S
#endif

constexpr int kHeadJoint = kOverlap * kJointNumbers + 1;  // of a head: its rows, whether they count

// phi(q) S and phi(q) z of the first kOverlap queries of each sequence, with the initial state, in
// shares of some features each; joint_sums adds them. In a prefill call, tokens of the window come
// before the queries, and zeros where it has too few; where it is full there is nothing to do.
// Grid (joint_parts, batch * query_heads).
extern "C" __global__ __launch_bounds__(kJointThreads)
void joint_rows(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) JointShared shared;
  const int64 batch = blockIdx.y / args.query_heads;
  const int64 query_head = blockIdx.y % args.query_heads;
  const int64 head = query_head / (args.query_heads / args.key_heads);
  const Sequence sequence = sequence_of(args, batch);
  const element* first_key = head_rows(args.k, args.k_strides, sequence, batch, head);
  const bool full =
      args.query_start > 0 &&
      __syncthreads_or(threadIdx.x < kHeadDim && float_of(first_key[threadIdx.x]) != 0.0f);
  double* target = args.joint_partials + blockIdx.x * args.joint_numbers +
                   blockIdx.y * (int64)kHeadJoint;
  if (threadIdx.x == 0) target[kHeadJoint - 1] = full ? 0.0 : 1.0;
  if (full) return;
  load_joint_rows(shared.x, head_rows(args.q, args.q_strides, sequence, batch, query_head),
                  args.q_strides.token, 0, sequence.tokens - args.query_start, kOverlap);
  const JointState<const float> state(
      args.initial_sums, args.initial_key_sums, batch * args.key_heads + head);
  read_joint<true, kJointNumbers != kHeadDim>(shared, state, target, kJointNumbers);
}

// What joint_rows has of a row: null if it has nothing. `place` is batch * query_heads + query head.
__device__ __forceinline__ const float* joint_row(
    const Arguments& args, int64 place, int64 chunk, int64 row) {
  const int64 query = row - args.query_start;
  if (args.joint_totals == nullptr || chunk > 0 || query < 0 || query >= kOverlap) return nullptr;
  const float* joint = args.joint_totals + place * kHeadJoint;
  return joint[kHeadJoint - 1] == 0.0f ? nullptr : joint + query * kJointNumbers;
}

// Takes the last kOverlap tokens of each sequence, which state_pass leaves out, into the final state:
//   S <- exp(G_last - G) S + sum_j exp(G_last - G_j) phi(k_j) v_j^T
// with G where state_pass ended.
// Grid (joint_parts, batch * key_heads).
extern "C" __global__ __launch_bounds__(kJointThreads)
void joint_tokens(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) JointShared shared;
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 first = sequence.state_end;
  if (first >= sequence.tokens) return;
  load_joint_rows(shared.x, head_rows(args.k, args.k_strides, sequence, batch, head),
                  args.k_strides.token, first, sequence.tokens, kOverlap);
  float decay = 1;
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
  const int64 chunk = sequence.chunks - 1;
  const double last = gate_sum[sequence.tokens - 1];
  decay = expf((float)(last - (first > 0 ? gate_at(args, gate_sum, chunk, first - 1) : 0.0)));
#endif
  for (int row = threadIdx.x; row < kOverlap; row += kJointThreads) {
    const int64 token = first + row;
    float weight = token < sequence.tokens ? 1.0f : 0.0f;
#if GATED
    weight *= expf(
        (float)(last - gate_at(args, gate_sum, chunk, min(token, sequence.tokens - 1))));
#endif
    shared.value_weights[row] = weight;
#if NORMALIZED
    shared.sum_weights[row] = weight;
#endif
  }
  __syncthreads();  // the weights are there
  const element* v = head_rows(args.v, args.v_strides, sequence, batch, head);
  float values[kOverlap];
#pragma unroll
  for (int row = 0; row < kOverlap; row++) {
    const int64 token = min(first + row, sequence.tokens - 1);
    values[row] = float_of(v[token * args.v_strides.token + threadIdx.x % kHeadDim]) *
                  shared.value_weights[row];
  }
  const JointState<float> state(args.final_sums, args.final_key_sums, blockIdx.y);
  add_joint<false>(shared, state, values, decay);
}
