// Power attention, forward. The kernels in the order of their launches:
//
#if GATED
//   gate_sum       cumulative log gates within each chunk
#endif
//   joint_rows     what the first rows read from a caller's initial state, in shares
//   joint_sums     adds the shares
//   state_pass     the state S (and key sum z) at each chunk's start, and before the last tokens
//   join_segments  joins the segments of a sequence that state_pass walked in parallel
//   joint_tokens   the last tokens, into the caller's final state
//   output_pass    y from the state at the chunk's start and the attention within the chunk
//   attention      y in attention form, without a state
//
// Notation: q, k, v, y are [batch, tokens, heads, kHeadDim]; query head r reads key/value head
// r / (query_heads / key_heads).
#if GATED
//   G_i  = sum of log_gate_m over m <= i
//   w_ij = <q_i, k_j>^p exp(G_i - G_j),  j <= i
#else
//   w_ij = <q_i, k_j>^p,  j <= i
#endif
#if NORMALIZED
//   y_i  = sum_j w_ij v_j / sum_j w_ij
#else
//   y_i  = scale^p sum_j w_ij v_j
#endif
#include "spec.cuh"
#include "types.cuh"
#include "arguments.cuh"
#include "chunks.cuh"
#if GATED
#include "gate_sum.cuh"
#endif
#include "segments.cuh"
#include "row_tiles.cuh"
#include "join_decays.cuh"
#include "snapshots.cuh"
#if FP32
#include "features_fp32.cuh"
#include "joints.cuh"
#include "forward_joints.cuh"
#include "state_pass_fp32.cuh"
#include "output_pass_fp32.cuh"
#else
#include "ptx.cuh"
#include "elements.cuh"
#if BF16
#include "pairs_bf16.cuh"
#else
#include "pairs_fp16.cuh"
#endif
#include "tiles.cuh"
#if !WGMMA
#include "fragments.cuh"
#endif
#if DEGREE == 1
#include "features_p1.cuh"
#elif DEGREE == 2
#include "features_p2.cuh"
#elif DEGREE == 3
#include "features_p3.cuh"
#else
#include "features_p4.cuh"
#endif
#include "joints.cuh"
#include "forward_joints.cuh"
#include "key_weights.cuh"
#if WGMMA
#include "wgmma.cuh"
#include "group_products.cuh"
#include "shared_products.cuh"
#include "core_matrices.cuh"
#include "panels.cuh"
#include "state_tiles_90a.cuh"
#include "state_bringing_90a.cuh"
#include "state_pass_90a.cuh"
#include "output_tiles_90a.cuh"
#include "output_sums_90a.cuh"
#include "attend_90a.cuh"
#include "output_pass_90a.cuh"
#else
#include "walks.cuh"
#include "state_pass.cuh"
#include "output_pass.cuh"
#endif
#endif
#include "join_segments.cuh"
