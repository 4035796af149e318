#pragma once

// The one parameter of every kernel. Each field takes eight bytes; pointers that a call does not
// need are null. Rows count all tokens: of batch entry n and token i, n * tokens + i, or of packed
// sequences the place among all tokens.
struct Arguments {
  const element* q;
  const element* k;
  const element* v;
  const float* log_gate;
  const element* dy;
  element* dq;
  element* dk;
  element* dv;
  float* dlog_gate;
  const int64* offsets;        // first row of each packed sequence; null if they are not packed
  double* gate_sum;            // workspace [key_heads, rows]
  const float* saved_outputs;  // y in fp32 [rows, query_heads, kHeadDim]
  const float* saved_weights;  // sums of weights [rows, query_heads]
  float* row_scales;           // workspace [query_heads, rows]: r_i
  float* row_deltas;           // workspace [query_heads, rows]: <dy_i, y_i>
  const unsigned char* states;  // of the forward pass [key_heads, chunks, kStateBytes]: S at
                               // state_start
  const float* state_key_sums;  // z of these [key_heads, chunks, kFeatures], where it lies apart
  unsigned char* state_gradients;  // workspace [key_heads, chunks, kSnapshotBytes]: dS, dz at the next
                               // chunk's state_start
  float* segment_gradients;    // workspace [batch, key_heads, segments, kStateNumbers]
  float* state_products;       // workspace [key_heads, chunks, kJoinWarps]: shares of <dS, S>
  float* query_state_sums;     // workspace [query_heads, rows]: sums of c_ij over j in the state
  float* query_sums;           // workspace [query_heads, rows]: over the other j < i
  float* key_state_sums;       // workspace [key_heads, rows]: sums over i that see j in the state
  float* key_sums;             // workspace [key_heads, rows]: over the other i > j
  const float* initial_sums;   // S before the first token [batch, key_heads, kFeatures, kHeadDim]
  const float* initial_key_sums;    // z before the first token [batch, key_heads, kFeatures]
  const float* final_gradient;      // of S after the last token
  const float* final_key_gradient;  // of z
  float* initial_gradient;     // of S before the first token
  float* initial_key_gradient;      // of z
  double* joint_partials;      // workspace [joint_parts, joint_numbers]
  float* joint_totals;         // workspace [joint_numbers]: query_joints, then key_joints
  float* query_joints;         // [batch, query_heads, kOverlap, kHeadDim]; null without
                               // initial_sums
  float* key_joints;           // [batch, key_heads, kOverlap, 2 kHeadDim]; null without
                               // final_gradient
  Strides q_strides;
  Strides k_strides;
  Strides v_strides;
  Strides gate_strides;
  Strides dy_strides;
  Strides dq_strides;
  Strides dk_strides;
  Strides dv_strides;
  Strides dgate_strides;
  int64 tokens;
  int64 query_heads;
  int64 key_heads;
  int64 chunk;                 // tokens per chunk; all of them in attention form
  int64 chunks_per_segment;
  int64 segments;
  int64 all_tokens;            // rows
  int64 all_chunks;            // slots for chunks of a head
  int64 held_back;             // tokens at the end that the final state leaves out: none
  int64 joint_numbers;
  int64 joint_parts;           // blocks that share the features of a head's joint
  double output_scale;         // scale^p; 1 where y is normalised
};

// Dynamic shared memory; each kernel lays its own struct over it.
extern __shared__ __align__(1024) unsigned char shared_memory[];
