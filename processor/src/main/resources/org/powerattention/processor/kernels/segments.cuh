#pragma once

// Segments of a sequence, the last of which may be cut short; an empty sequence has one as well.
__device__ __forceinline__ int64 segment_count(
    const Arguments& args, const Sequence& sequence) {
  const int64 segments =
      (sequence.chunks + args.chunks_per_segment - 1) / args.chunks_per_segment;
  return segments > 0 ? segments : 1;
}

// Chunks of a segment, in a sequence of this length.
struct Segment {
  int64 first;  // its first chunk
  int64 end;    // one past its last chunk
  bool first_of_all;
  bool last_of_all;
};

__device__ __forceinline__ Segment segment_of(
    const Arguments& args, const Sequence& sequence, int64 index) {
  Segment segment;
  segment.first = index * args.chunks_per_segment;
  segment.end = min(segment.first + args.chunks_per_segment, sequence.chunks);
  segment.first_of_all = index == 0;
  segment.last_of_all = index == segment_count(args, sequence) - 1;
  return segment;
}
