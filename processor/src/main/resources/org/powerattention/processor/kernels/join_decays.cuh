#pragma once
// Threads of a block that joins segments, and most segments of a sequence.
constexpr int kJoinThreads = 256;

constexpr int kJoinBatch = 4;  // chunks whose words a thread loads at once

// What such a block keeps of decays, in shared memory: of a run of segments, and of a run of chunks.
struct JoinDecays {
  static constexpr int kChunks = 1024;

#if GATED
  float segments[kJoinThreads];
  float chunks[kChunks];

  // By all threads: segments [first, end), each with all of its chunks.
  __device__ __forceinline__ void load_segments(
      const Arguments& args, const Sequence& sequence, const double* gate_sum, int64 first,
      int64 end) {
#pragma unroll 1
    for (int64 segment = first + threadIdx.x / 32; segment < end; segment += kJoinThreads / 32) {
      const int64 first_chunk = segment * args.chunks_per_segment;
      const int64 end_chunk = min(first_chunk + args.chunks_per_segment, sequence.chunks);
      double log_decay = 0;
#pragma unroll 1
      for (int64 chunk = first_chunk + threadIdx.x % 32; chunk < end_chunk; chunk += 32) {
        log_decay += chunk_log_decay(args, sequence, gate_sum, chunk);
      }
      for (int distance = 16; distance > 0; distance /= 2) {
        log_decay += __shfl_xor_sync(0xffffffff, log_decay, distance);
      }
      if (threadIdx.x % 32 == 0) segments[segment - first] = expf((float)log_decay);
    }
    __syncthreads();
  }

  // By all threads: chunks [first, end), or the first kChunks of them.
  __device__ __forceinline__ void load_chunks(
      const Arguments& args, const Sequence& sequence, const double* gate_sum, int64 first,
      int64 end) {
    __syncthreads();  // the last run is read
#pragma unroll 1
    for (int i = threadIdx.x; i < min(end - first, (int64)kChunks); i += kJoinThreads) {
      chunks[i] = expf((float)chunk_log_decay(args, sequence, gate_sum, first + i));
    }
    __syncthreads();  // this one is there
  }
#endif
};
