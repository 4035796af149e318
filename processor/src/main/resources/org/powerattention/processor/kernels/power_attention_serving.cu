// Power attention, serving: what prefill and decode need beside the forward kernels.
//
//   decode_rows_N  one token's y: each block reads some features of the state and some tokens of the
//                  window, for up to N query rows at a time (N = 1, 4, 8); the last one of a head adds
//                  what all have found, and the token to the window
//   fold_window    takes the oldest tokens of each window into the state
//   window_join    the latest tokens of each window, followed by those of a prefill call
//   window_store   the latest of the joined tokens, back into the windows
//
// Notation: a head's state is sums S, z over all tokens but the latest, and a window that holds
// those. G_n = sum of log gates up to token n; i is the token at hand, m the last in the sums.
#if GATED
//   y_i = exp(G_i - G_m) phi(q_i) S + sum_j exp(G_i - G_j) <q_i, k_j>^p v_j,  m < j <= i
#else
//   y_i = phi(q_i) S + sum_j <q_i, k_j>^p v_j,  m < j <= i
#endif
#if NORMALIZED
// divided by the same sum with z in S's place and without v_j.
#else
// times scale^p.
#endif
#include "spec.cuh"
#include "types.cuh"
#include "numbers.cuh"
#include "serving_arguments.cuh"
#include "feature_walk.cuh"
#include "window.cuh"
#include "fold.cuh"
#include "decode_output.cuh"
#include "decode_rows.cuh"
#include "joined_tokens.cuh"
