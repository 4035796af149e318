#pragma once

// Segments of a sequence, the last of which may be cut short; an empty sequence has one as well.
__device__ __forceinline__ int64 segment_count(
    const Arguments& args, const Sequence& sequence) {
  const int64 segments =
      (sequence.chunks + args.chunks_per_segment - 1) / args.chunks_per_segment;
  return segments > 0 ? segments : 1;
}
