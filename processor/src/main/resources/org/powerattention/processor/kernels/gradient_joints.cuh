#pragma once

// Where the shares of numbers begin that joint_sums leaves at `totals`, of this block's features.
__device__ __forceinline__ double* joint_partials_of(const Arguments& args, const float* totals) {
  return args.joint_partials + blockIdx.x * args.joint_numbers + (totals - args.joint_totals);
}

// First of the tokens whose key meets the gradient of the final state in fp32.
__device__ __forceinline__ int64 joint_start(const Sequence& sequence) {
  return sequence.tokens > kOverlap ? sequence.tokens - kOverlap : 0;
}

// What joint_queries has of a row: d phi contracted with q; null if it has nothing. `place` is
// batch * query_heads + query head.
__device__ __forceinline__ const float* query_joint(
    const Arguments& args, int64 place, int64 chunk, int64 token) {
  if (args.query_joints == nullptr || chunk > 0 || token >= kOverlap) return nullptr;
  return args.query_joints + (place * kOverlap + token) * kHeadDim;
}

// What joint_keys and joint_values have of a token: dk, then dv; null if they have nothing. `place`
// is batch * key_heads + head.
__device__ __forceinline__ const float* key_joint(
    const Arguments& args, const Sequence& sequence, int64 place, int64 token) {
  if (args.key_joints == nullptr || token < joint_start(sequence) || token >= sequence.tokens) {
    return nullptr;
  }
  return args.key_joints + (place * kOverlap + token - joint_start(sequence)) * (2 * kHeadDim);
}

constexpr int kContractRows = 16;
constexpr int kContractThreads = kContractRows * kRun;

struct ContractShared {
  float x[kContractRows][kHeadDim + 1];
  float u[kContractRows][kHeadDim + 4];
  float sum_weights[kContractRows];
  float state[kRun][kHeadDim + 4];
  float key_sums[kRun];
  float dphi[kContractRows][kRun + 1];
  double dx[kContractRows][kHeadDim];
};

// dx += dphi of a run, contracted with the other factors of its features. The kRun threads of a row
// have one place of one of a tuple's tiles each; tiles may be the same, so that one position of the
// tuple is added after another.
__device__ __forceinline__ void contract_run(ContractShared& shared, const FeatureRun& run) {
  const int row = threadIdx.x / kRun;
#if DEGREE == 1
  shared.dx[row][run.place + threadIdx.x % kRun] += shared.dphi[row][threadIdx.x % kRun];
#else
  const int mine = threadIdx.x % kRun / kTileSize;  // position
  int target = threadIdx.x % kRun % kTileSize;
#pragma unroll
  for (int position = 0; position < kDegree; position++) {
    if (position == mine) target += run.tiles[position] * kTileSize;
  }
  float sum = 0;
#pragma unroll
  for (int f = 0; f < kRun; f++) {
    int dimensions[kDegree];
    run.locate(dimensions, f);
    float product = shared.dphi[row][f];
    bool with_target = false;
#pragma unroll
    for (int position = 0; position < kDegree; position++) {
      if (position == mine) {
        with_target = dimensions[position] == target;
      } else {
        product *= shared.x[row][dimensions[position]];
      }
    }
    if (with_target) sum += product;
  }
#pragma unroll
  for (int position = 0; position < kDegree; position++) {
    if (position == mine) shared.dx[row][target] += sum;
    __syncwarp();
  }
#endif
}

// Of each row x, this block's share of dphi = S u + z times the row's weight, contracted with x: to
// target[row * stride + column].
template <bool kMultiplicities>
__device__ __forceinline__ void contract_joint(
    ContractShared& shared, const JointState<const float>& state, double* target, int stride) {
  constexpr int numbers = kRun * kHeadDim / kContractThreads;  // of S, of a thread
  const RunRange range;
  const int row = threadIdx.x / kRun;
  const int feature = threadIdx.x % kRun;
  for (int column = feature; column < kHeadDim; column += kRun) shared.dx[row][column] = 0;
  FeatureRun run(range.first);
  for (int index = range.first; index < range.end; index++) {
    float loaded[numbers];
#pragma unroll
    for (int n = 0; n < numbers; n++) {
      loaded[n] = state.sums[(int64)index * (kRun * kHeadDim) + n * kContractThreads + threadIdx.x];
    }
    __syncthreads();  // x and u are there; the last run's features are read
#pragma unroll
    for (int n = 0; n < numbers; n++) {
      const int i = n * kContractThreads + threadIdx.x;
      shared.state[i / kHeadDim][i % kHeadDim] = loaded[n];
    }
#if NORMALIZED
    if (threadIdx.x < kRun) shared.key_sums[threadIdx.x] = state.key_sums[index * kRun + threadIdx.x];
#endif
    __syncthreads();  // the run's features are there
    float sums[4] = {};
#pragma unroll
    for (int column = 0; column < kHeadDim; column += 4) {
      const float4 u = *reinterpret_cast<const float4*>(&shared.u[row][column]);
      const float4 number = *reinterpret_cast<const float4*>(&shared.state[feature][column]);
      sums[0] = fmaf(u.x, number.x, sums[0]);
      sums[1] = fmaf(u.y, number.y, sums[1]);
      sums[2] = fmaf(u.z, number.z, sums[2]);
      sums[3] = fmaf(u.w, number.w, sums[3]);
    }
    float dphi = (sums[0] + sums[1]) + (sums[2] + sums[3]);
#if NORMALIZED
    dphi = fmaf(shared.key_sums[feature], shared.sum_weights[row], dphi);
#endif
    shared.dphi[row][feature] = kMultiplicities ? dphi * run.multiplicity() : dphi;
    __syncwarp();  // dphi of this row is complete
    contract_run(shared, run);
    run.advance();
  }
  for (int column = feature; column < kHeadDim; column += kRun) {
    target[row * stride + column] = shared.dx[row][column];
  }
}

// dq, without r_i and gates, of the first kOverlap rows of each sequence from the initial state:
// dphi = S dy - <dy, y> z, contracted with q. In shares of some features each.
// Grid (joint_parts, kOverlap / kContractRows, batch * query_heads).
extern "C" __global__ __launch_bounds__(kContractThreads)
void joint_queries(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) ContractShared shared;
  const int64 batch = blockIdx.z / args.query_heads;
  const int64 query_head = blockIdx.z % args.query_heads;
  const int64 head = query_head / (args.query_heads / args.key_heads);
  const Sequence sequence = sequence_of(args, batch);
  const int64 first = blockIdx.y * (int64)kContractRows;
  load_joint_rows(shared.x, head_rows(args.q, args.q_strides, sequence, batch, query_head),
                  args.q_strides.token, first, sequence.tokens, kContractRows);
  load_joint_rows(shared.u, head_rows(args.dy, args.dy_strides, sequence, batch, query_head),
                  args.dy_strides.token, first, sequence.tokens, kContractRows);
#if NORMALIZED
  if (threadIdx.x < kContractRows) {
    const int64 token = first + threadIdx.x;
    const int64 rows = query_head * args.all_tokens + sequence.rows;
    shared.sum_weights[threadIdx.x] =
        token < sequence.tokens ? -args.row_deltas[rows + token] : 0.0f;
  }
#endif
  const JointState<const float> state(
      args.initial_sums, args.initial_key_sums, batch * args.key_heads + head);
  const float* totals = args.query_joints + (blockIdx.z * (int64)kOverlap + first) * kHeadDim;
  contract_joint<true>(shared, state, joint_partials_of(args, totals), kHeadDim);
}

// dk, without gates, of the last kOverlap tokens of each sequence from the final state's gradient:
// dphi = dS v + dz, contracted with k. In shares of some features each.
// Grid (joint_parts, kOverlap / kContractRows, batch * key_heads).
extern "C" __global__ __launch_bounds__(kContractThreads)
void joint_keys(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) ContractShared shared;
  const int64 batch = blockIdx.z / args.key_heads;
  const int64 head = blockIdx.z % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  const int64 row = blockIdx.y * (int64)kContractRows;
  const int64 first = joint_start(sequence) + row;
  load_joint_rows(shared.x, head_rows(args.k, args.k_strides, sequence, batch, head),
                  args.k_strides.token, first, sequence.tokens, kContractRows);
  load_joint_rows(shared.u, head_rows(args.v, args.v_strides, sequence, batch, head),
                  args.v_strides.token, first, sequence.tokens, kContractRows);
#if NORMALIZED
  if (threadIdx.x < kContractRows) shared.sum_weights[threadIdx.x] = 1;
#endif
  const JointState<const float> state(args.final_gradient, args.final_key_gradient, blockIdx.z);
  const float* totals = args.key_joints + (blockIdx.z * (int64)kOverlap + row) * (2 * kHeadDim);
  contract_joint<false>(shared, state, joint_partials_of(args, totals), 2 * kHeadDim);
}

// dv of the same tokens likewise: phi(k) dS. Grid (joint_parts, batch * key_heads).
extern "C" __global__ __launch_bounds__(kJointThreads)
void joint_values(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) JointShared shared;
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  load_joint_rows(shared.x, head_rows(args.k, args.k_strides, sequence, batch, head),
                  args.k_strides.token, joint_start(sequence), sequence.tokens, kOverlap);
  const JointState<const float> state(args.final_gradient, args.final_key_gradient, blockIdx.y);
  const float* totals =
      args.key_joints + blockIdx.y * (int64)(kOverlap * 2 * kHeadDim) + kHeadDim;
  read_joint<false, false>(shared, state, joint_partials_of(args, totals), 2 * kHeadDim);
}

// Adds to the gradient of the initial state what the first kOverlap rows of each sequence give, which
// state_gradient_walk leaves out:
//   dS += sum_i exp(G_i) phi(q_i) u_i^T,  u_i = r_i (dy_i, -<dy_i, y_i>)
// Grid (joint_parts, batch * key_heads).
extern "C" __global__ __launch_bounds__(kJointThreads)
void joint_gradient(const __grid_constant__ Arguments args) {
  __shared__ __align__(16) JointShared shared;
  const int64 batch = blockIdx.y / args.key_heads;
  const int64 head = blockIdx.y % args.key_heads;
  const int64 group = args.query_heads / args.key_heads;
  const Sequence sequence = sequence_of(args, batch);
  if (sequence.tokens == 0) return;
#if GATED
  const double* gate_sum = args.gate_sum + token_place(args, sequence, head);
#endif
  const JointState<float> state(args.initial_gradient, args.initial_key_gradient, blockIdx.y);
  for (int64 query_head = head * group; query_head < (head + 1) * group; query_head++) {
    __syncthreads();  // the last head's rows are read
    load_joint_rows(shared.x, head_rows(args.q, args.q_strides, sequence, batch, query_head),
                    args.q_strides.token, 0, sequence.tokens, kOverlap);
    for (int row = threadIdx.x; row < kOverlap; row += kJointThreads) {
      const int64 token = min((int64)row, sequence.tokens - 1);
      float weight = row < sequence.tokens ? 1.0f : 0.0f;
#if GATED
      weight *= expf((float)gate_sum[token]);
#endif
#if NORMALIZED
      const int64 place = query_head * args.all_tokens + sequence.rows + token;
      weight *= args.row_scales[place];
      shared.sum_weights[row] = -weight * args.row_deltas[place];
#else
      weight *= (float)args.output_scale;
#endif
      shared.value_weights[row] = weight;
    }
    __syncthreads();  // the weights are there
    const element* dy = head_rows(args.dy, args.dy_strides, sequence, batch, query_head);
    float values[kOverlap];
#pragma unroll
    for (int row = 0; row < kOverlap; row++) {
      const int64 token = min((int64)row, sequence.tokens - 1);
      values[row] = float_of(dy[token * args.dy_strides.token + threadIdx.x % kHeadDim]) *
                    shared.value_weights[row];
    }
    add_joint<true>(shared, state, values, 1);
  }
}
