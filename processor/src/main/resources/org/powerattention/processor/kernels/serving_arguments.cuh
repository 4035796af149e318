#pragma once

// The one parameter of every kernel. Each field takes eight bytes; pointers that a call does not
// need are null.
struct ServingArguments {
  const element* q;
  const element* k;
  const element* v;
  const float* log_gate;
  element* y;
  float* sums;              // S [batch, key_heads, kFeatures, kHeadDim]
  float* key_sums;          // z [batch, key_heads, kFeatures]
  element* window_keys;     // [batch, key_heads, kWindow, kHeadDim]
  element* window_values;   // [batch, key_heads, kWindow, kHeadDim]
  float* window_gates;      // log gates [batch, key_heads, kWindow]
  int* spans;               // slot of the oldest token, number of tokens [batch, key_heads, 2]
  uint32* arrivals;         // workspace [batch, key_heads]: blocks that are done; 0 between calls
  float* partials;          // workspace [batch, query_heads, splits, kPartialNumbers]
  element* joined_keys;     // workspace [batch, kHeld + tokens, key_heads, kHeadDim]
  element* joined_values;   // workspace, the same
  float* joined_gates;      // workspace [batch, kHeld + tokens, key_heads]
  Strides q_strides;
  Strides k_strides;
  Strides v_strides;
  Strides gate_strides;
  Strides y_strides;
  int64 batch;
  int64 tokens;             // of each sequence in this call
  int64 query_heads;
  int64 key_heads;
  int64 splits;             // blocks that share a head's state
  int64 split_features;     // features of each but the last, a multiple of kDecodeFeatures
  int64 kept;               // tokens that fold_window leaves in the windows
  double output_scale;      // scale^p; applied where y is not normalised
};

// Dynamic shared memory; each kernel lays its own struct over it.
extern __shared__ __align__(128) unsigned char shared_memory[];
