#pragma once

// The one parameter of every kernel. Each field takes eight bytes; pointers that a call does not
// need are null.
struct Arguments {
  const element* q;
  const element* k;
  const element* v;
  const float* log_gate;
  element* y;                  // null where only saved_outputs is asked for
  double* gate_sum;            // workspace [key_heads, all_tokens]
  unsigned char* snapshots;    // [key_heads, all_chunks, kSnapshotBytes], of the workspace unless
                               // kept for the backward pass
  float* snapshot_key_sums;    // z of the snapshots [key_heads, all_chunks, kFeatures], if kept and
                               // of BF16; others have it in the snapshots
  float* segment_states;       // workspace [batch, key_heads, segments, kStateNumbers]
  const float* initial_sums;   // S before the first token [batch, key_heads, kFeatures, kHeadDim]
  const float* initial_key_sums;  // z before the first token [batch, key_heads, kFeatures]
  float* final_sums;           // S after the last token
  float* final_key_sums;       // z after the last token
  const int64* offsets;        // packed sequences: first token of each, then the number of all
  float* saved_outputs;        // y before it is rounded [all_tokens, query_heads, kHeadDim]
  float* saved_weights;        // sums of the rows' weights [all_tokens, query_heads]
  double* joint_partials;      // workspace [joint_parts, joint_numbers]
  float* joint_totals;         // workspace [batch, query_heads, kHeadJoint]; null
                               // where there is no joint before the first token
  Strides q_strides;
  Strides k_strides;
  Strides v_strides;
  Strides gate_strides;
  Strides y_strides;
  int64 tokens;                // of each sequence; of packed ones, those of the longest
  int64 all_tokens;            // of all sequences
  int64 all_chunks;            // places for the snapshots of one head
  int64 query_start;           // token of k and v at which q and y begin
  int64 held_back;             // tokens at the end that state_pass leaves out of the final state
  int64 query_heads;
  int64 key_heads;
  int64 chunk;                 // tokens per chunk; all of them in attention form
  int64 chunks_per_segment;
  int64 segments;
  int64 joint_numbers;         // numbers of joint_totals
  int64 joint_parts;           // blocks that share the features of a head's joint
  double output_scale;         // scale^p; applied where y is not normalised
};

// Dynamic shared memory; each kernel lays its own struct over it.
extern __shared__ __align__(1024) unsigned char shared_memory[];
