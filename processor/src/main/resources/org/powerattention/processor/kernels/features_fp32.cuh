#pragma once

constexpr int kTupleFeatures =  // of one tuple of tiles
    kTileSize * (kDegree > 1 ? kTileSize : 1) * (kDegree > 2 ? kTileSize : 1) *
    (kDegree > 3 ? kTileSize : 1);

// A feature of the tiled symmetric power: the product of x at kDegree dimensions, one from each tile
// of a non-decreasing tuple of tiles. Features are ordered by tuple, then by the places within the
// tiles, the last fastest.
struct Feature {
  unsigned char dimensions[4];  // the first kDegree are used
  float multiplicity;           // orderings of the tuple; 0 past the last feature

  __device__ __forceinline__ void locate(int index) {
    multiplicity = index < kFeatures ? 1.0f : 0.0f;
    int tuple = min(index, kFeatures - 1) / kTupleFeatures;
    int place = min(index, kFeatures - 1) % kTupleFeatures;
    int tile = 0;
    int run = 0;
    for (int position = 0; position < kDegree; position++) {
      const int previous = tile;
      const int more = kDegree - 1 - position;
      while (tile < kTiles - 1) {
        // Tuples with this tile here: the rest chosen from it on, C(n + more - 1, more).
        int count = 1;
        for (int m = 1; m <= more; m++) count = count * (kTiles - tile + m - 1) / m;
        if (tuple < count) break;
        tuple -= count;
        tile++;
      }
      run = position > 0 && tile == previous ? run + 1 : 1;
      multiplicity = multiplicity * (float)(position + 1) / (float)run;
      dimensions[position] = (unsigned char)(tile * kTileSize);
    }
    for (int position = kDegree - 1; position >= 0; position--) {
      dimensions[position] += (unsigned char)(place % kTileSize);
      place /= kTileSize;
    }
  }

  __device__ __forceinline__ float of(const float* x) const {
    float product = x[dimensions[0]];
    for (int i = 1; i < kDegree; i++) product *= x[dimensions[i]];
    return product;
  }
};

__device__ __forceinline__ float float_of(element value) { return value; }

// Copies rows [first, first + rows) of one head into shared memory; rows from `end` on are zero.
__device__ __forceinline__ void load_rows(
    float* target, int target_stride, const float* head, int64 token_stride, int64 first, int64 end,
    int rows, int threads) {
  for (int i = threadIdx.x; i < rows * kHeadDim; i += threads) {
    const int row = i / kHeadDim;
    const int column = i % kHeadDim;
    target[row * target_stride + column] =
        first + row < end ? head[(first + row) * token_stride + column] : 0.0f;
  }
}
