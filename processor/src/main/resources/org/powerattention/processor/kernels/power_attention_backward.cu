// Power attention, backward. The kernels in the order of their launches:
//
#if GATED
//   gate_sum             cumulative log gates within each chunk
#endif
#if NORMALIZED
//   row_terms            1 / sum_j w_ij and <dy_i, y_i>, from what the forward pass kept
#endif
//   state_gradient_walk  the gradient of the state at each chunk's start, from the end
//   join_gradients       joins its segments, and multiplies gradients with states
//   joint_gradient       the first rows' share of the gradient of a caller's initial state
//   joint_queries        dq of the first rows from that state, in shares
//   joint_keys           dk of the last tokens from the gradient of a caller's final state, in shares
//   joint_values         dv likewise
//   joint_sums           adds the shares
//   query_gradients      dq from the state at the chunk's start and from the chunk's keys
#if WGMMA
//   key_gradients        dk from the state's gradient and from the chunk's queries
//   value_gradients      dv, likewise
#else
//   key_gradients        dk and dv from the state's gradient and from the chunk's queries
#endif
#if GATED
//   gate_totals          of each chunk, the sums that the kernels before it leave
//   gate_gradients       dlog_gate from these sums
#endif
//
// Notation: as in the forward source.
#if GATED
//   w_ij = s_ij^p exp(G_i - G_j),  s_ij = <q_i, k_j>,  j <= i
#else
//   w_ij = s_ij^p,  s_ij = <q_i, k_j>,  j <= i
#endif
#if NORMALIZED
//   a_ij = r_i (<dy_i, v_j> - <dy_i, y_i>),  r_i = 1 / sum_j w_ij     the gradient of w_ij
#else
//   a_ij = r_i <dy_i, v_j>,  r_i = scale^p                           the gradient of w_ij
#endif
//   dv_j = sum_i w_ij r_i dy_i
//   dq_i = sum_j p a_ij w_ij / s_ij k_j,  dk_j = sum_i p a_ij w_ij / s_ij q_i
#if GATED
//   dlog_gate_m = sum over j < m <= i of c_ij = a_ij w_ij
#endif
// The state S (and key sum z) at each chunk's start is that of the forward pass.
// The chunk's keys meet the queries of later chunks through the gradient of the state: with
// dphi(k_j) = dS v_j + dz, dk_j is dphi contracted with the derivative of phi. Likewise the queries
// meet the keys of earlier chunks through the state.
#include "spec.cuh"
#include "types.cuh"
#include "gradient_arguments.cuh"
#include "chunks.cuh"
#if GATED
#include "gate_sum.cuh"
#endif
#include "ptx.cuh"
#include "elements.cuh"
#if BF16
#include "pairs_bf16.cuh"
#elif FP16
#include "pairs_fp16.cuh"
#else
#include "pairs_fp32.cuh"
#endif
#include "tiles.cuh"
#include "snapshots.cuh"
#include "fragments.cuh"
#if DEGREE == 1
#include "features_p1.cuh"
#elif DEGREE == 2
#include "features_p2.cuh"
#elif DEGREE == 3
#include "features_p3.cuh"
#else
#include "features_p4.cuh"
#endif
#if WGMMA
#include "wgmma.cuh"
#include "group_products.cuh"
#include "shared_products.cuh"
#include "core_matrices.cuh"
#include "panels.cuh"
#include "strip_products.cuh"
#include "images.cuh"
#endif
#include "contraction.cuh"
#include "gradient_tiles.cuh"
#if NORMALIZED
#include "row_terms.cuh"
#endif
#include "segments.cuh"
#include "row_tiles.cuh"
#include "join_decays.cuh"
#include "query_weights.cuh"
#if WGMMA
#include "state_tiles_90a.cuh"
#include "state_bringing_90a.cuh"
#include "gradient_states_90a.cuh"
#else
#include "walks.cuh"
#include "gradient_states.cuh"
#endif
#include "join_gradients.cuh"
#include "joints.cuh"
#include "gradient_joints.cuh"
#if WGMMA
#include "block_90a.cuh"
#include "contraction_90a.cuh"
#include "query_gradients_90a.cuh"
#include "key_gradients_90a.cuh"
#else
#include "query_gradients.cuh"
#include "key_gradients.cuh"
#endif
#if GATED
#include "gate_gradients.cuh"
#endif
