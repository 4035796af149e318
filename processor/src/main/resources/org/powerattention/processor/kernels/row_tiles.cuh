#pragma once

// The tile of rows that a block takes of a grid (tiles of a head, heads). Blocks start in the order of
// their indices. Here the tiles of kTurn chunks of heads take turns, which keeps the states that they
// read in the L2 cache, and of these the ones with the most to do come first, so that all end at about
// the same time.
struct RowTile {
  int64 index;  // among the tiles of its head
  int64 head;   // with its batch entry, as blockIdx.y

  // `tiles` are those of a chunk; of its last ones come first, if `last_first`. A head may have tiles
  // beyond those of its chunks: they come last.
  __device__ __forceinline__ RowTile(uint32 tiles, bool last_first)
      : index(last_first ? gridDim.x - 1 - blockIdx.x : blockIdx.x), head(blockIdx.y) {
    // One tile of each chunk, or more than 32 bits can count: as they are.
    if (tiles == 1 || __umulhi(gridDim.x, gridDim.y) != 0) return;
    const uint32 start = blockIdx.y * gridDim.x + blockIdx.x;
    const uint32 chunks = gridDim.x / tiles;  // of a head
    const uint32 all = chunks * gridDim.y;
    if (start >= all * tiles) {
      const uint32 beyond = gridDim.x - chunks * tiles;
      index = chunks * tiles + (start - all * tiles) % beyond;
      head = (start - all * tiles) / beyond;
      return;
    }
    // The first turn takes what others leave.
    uint32 first = 0;
    uint32 count = all % kTurn;
    if (start >= count * tiles) {
      first = count + (start - count * tiles) / (kTurn * tiles) * kTurn;
      count = kTurn;
    }
    const uint32 within = start - first * tiles;
    const uint32 tile = within / count;
    const uint32 chunk = first + within % count;
    head = chunk / chunks;
    index = chunk % chunks * tiles + (last_first ? tiles - 1 - tile : tile);
  }
};
