#pragma once
// The output pass on Hopper's asynchronous products. Of a block's warpgroups, kOutputGroups have 64
// query rows each and multiply; the last one brings what they read: a warp the state, slab after
// slab, the others tiles of keys and values, and gates.
#include "output_rows.cuh"

constexpr int kGroupRows = 64;
constexpr int kKeyTile = 64;
constexpr int kMultipliers = kOutputGroups * kGroup;
#if GATED
constexpr int kKeyBringers = 96;  // threads
#else
constexpr int kKeyBringers = 64;
#endif

#if GATED
// What belongs to a tile of keys.
struct KeyGates {
  float factors[kOutputGroups][kKeyTile];  // exp(G - G_j), G of a warpgroup's first row
  float2 gates[kKeyTile];                  // G_j from the block's first row on: high, low
};
#endif

struct OutputShared {
  element q[kOutputGroups][kTileElements<kGroupRows>];
  element k[kKeyStages][kTileElements<kKeyTile>];
  element v[kKeyStages][kTileElements<kKeyTile>];
  element slabs[kSlabStages][kStateSlab];
#if GATED
  KeyGates gates[kKeyStages];
  float2 row_gates[kOutputRows];  // G_i from the block's first row on: high, low
#endif
  uint64 slab_full[kSlabStages];
  uint64 slab_empty[kSlabStages];
  uint64 keys_full[kKeyStages];
  uint64 keys_empty[kKeyStages];
};
static_assert(sizeof(OutputShared) == kOutputSharedBytes, "the launch must match");

#if GATED
// A difference of cumulative log gates as a sum of two floats, so that a difference of two of these
// is exact to fp32 wherever it matters.
__device__ __forceinline__ float2 two_floats(double value) {
  const float high = (float)value;
  return make_float2(high, (float)(value - (double)high));
}
#endif

// Brings the slabs of a snapshot.
__device__ __forceinline__ void bring_slabs(OutputShared& shared, const unsigned char* snapshot) {
  constexpr int bytes = sizeof(shared.slabs[0]);
  for (int slab = 0; slab < kSlabs; slab++) {
    const int stage = slab % kSlabStages;
    barrier_wait(shared.slab_empty[stage], slab / kSlabStages % 2 ^ 1);
    barrier_expect(shared.slab_full[stage], bytes);
    copy_bulk(shared.slabs[stage], snapshot + (int64)slab * bytes, bytes,
              shared.slab_full[stage]);
  }
}

// Calls body(first token, stage) for every tile of keys when its place is free. The multipliers are
// told when the copies that it started are there, with what it wrote.
template <typename Body>
__device__ __forceinline__ void bring_tiles(OutputShared& shared, const KeyRange& range, Body body) {
  int tile = 0;
#pragma unroll 1
  for (int64 first = range.first; first < range.end; first += kKeyTile, tile++) {
    const int stage = tile % kKeyStages;
    barrier_wait(shared.keys_empty[stage], tile / kKeyStages % 2 ^ 1);
    body(first, stage);
  }
}

// Copies the rows of a head, tile after tile, by one warp; rows from the range's end on are zero. A
// lane has 8 columns of every fourth row, in each panel.
__device__ __forceinline__ void bring_rows(
    OutputShared& shared, const KeyRange& range, const element* head, int64 token_stride,
    bool aligned, element (*tiles)[kTileElements<kKeyTile>]) {
  const int own_row = threadIdx.x % 32 / 8;
  const int own_column = threadIdx.x % 8 * 8;
  bring_tiles(shared, range, [&](int64 first, int stage) {
    element* tile = tiles[stage];
    const int rows = (int)min(range.end - first, (int64)kKeyTile);
    const element* source = head + (first + own_row) * token_stride + own_column;
#pragma unroll
    for (int panel = 0; panel < kPanels; panel++) {
      const int column = panel * kPanelColumns;
      if (kHeadDim % kPanelColumns != 0 && column + own_column >= kHeadDim) break;
      // Every other 4 rows have the same exchange of pieces.
      element* even = tile + panel_place<kKeyTile>(own_row, column + own_column);
      element* odd = tile + panel_place<kKeyTile>(own_row + 4, column + own_column) - 4 * kPanelColumns;
      if (aligned && rows == kKeyTile) {
#pragma unroll
        for (int row = 0; row < kKeyTile; row += 4) {
          copy_async_16((row % 8 == 0 ? even : odd) + row * kPanelColumns,
                        source + row * token_stride + column, true);
        }
      } else {
#pragma unroll 1
        for (int row = 0; row < kKeyTile; row += 4) {
          const bool valid = row + own_row < rows;
          const element* line = valid ? source + row * token_stride + column : head;
          element* target = (row % 8 == 0 ? even : odd) + row * kPanelColumns;
          if (aligned) {
            copy_async_16(target, line, valid);
          } else {
            for (int e = 0; e < 8; e++) target[e] = valid ? line[e] : (element)0;
          }
        }
      }
    }
    if (aligned) {
      barrier_arrive_when_copied(shared.keys_full[stage]);
    } else {
      barrier_arrive(shared.keys_full[stage]);
    }
  });
  copy_wait();
}

#if GATED
// Brings the gates of the rows and of each tile of keys.
__device__ __forceinline__ void bring_gates(
    const Arguments& args, OutputShared& shared, const KeyRange& range) {
  const int lane = threadIdx.x % 32;
  const auto row_gate = [&](int row) {
    return two_floats(range.gate_sum[min(range.row + row, range.end - 1)] - range.gate_row);
  };
#pragma unroll
  for (int row = 0; row < kOutputRows; row += 32) shared.row_gates[row + lane] = row_gate(row + lane);
  float2 rows[kOutputGroups];  // G of the warpgroups' first rows
#pragma unroll
  for (int group = 0; group < kOutputGroups; group++) rows[group] = row_gate(group * kGroupRows);
  const int64 chunk_first = range.chunk * args.chunk;
  const double before = range.chunk > 0 ? range.gate_sum[chunk_first - 1] : 0.0;
  const auto gate_of = [&](int64 token) {
    const double gate = range.gate_sum[min(token, range.end - 1)];
    return token < chunk_first ? gate - before : gate;
  };
  double next[2] = {gate_of(range.first + lane), gate_of(range.first + lane + 32)};
  bring_tiles(shared, range, [&](int64 first, int stage) {
    KeyGates& keys = shared.gates[stage];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int key = lane + i * 32;
      const float2 gate = two_floats(next[i] - range.gate_row);
      next[i] = gate_of(first + kKeyTile + key);
      keys.gates[key] = gate;
#pragma unroll
      for (int group = 0; group < kOutputGroups; group++) {
        keys.factors[group][key] =
            expf(fminf((rows[group].x - gate.x) + (rows[group].y - gate.y), 0.0f));
      }
    }
    barrier_arrive(shared.keys_full[stage]);
  });
}
#endif
