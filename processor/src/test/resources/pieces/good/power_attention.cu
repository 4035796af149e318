#pragma once
#include "spec.cuh"
#include "nested.cuh"
#include "twice.cuh"
  # include "twice.cuh" // once is enough



#define PASSED(x) x
#if GATED  // gates
gated
#if NORMALIZED && DEGREE == 2
gated, normalised, p = 2
#elif NORMALIZED
gated, normalised, another p
#include "never_there.cuh"
#else /* no sum */
gated, not normalised
#endif
#else
not gated
#  if DEGREE >= 3 || !NORMALIZED
not gated, p >= 3 or not normalised
#  endif
#endif
#pragma unroll
#ifdefined_is_a_word
#undef PASSED
last   
