#pragma once

// A feature of the tiled symmetric power: the product of x at kDegree dimensions, one from each tile
// of a non-decreasing tuple of tiles. Features are ordered by tuple, then by the places within the
// tiles, the last fastest. This one goes on by kDecodeFeatures features at a time.
#if DEGREE == 1
struct FeatureWalk {
  int dimension;

  __device__ __forceinline__ explicit FeatureWalk(int feature) : dimension(feature) {}

  __device__ __forceinline__ void advance() { dimension += kDecodeFeatures; }

  // 0 past the last feature.
  __device__ __forceinline__ float multiplicity() const {
    return dimension < kFeatures ? 1.0f : 0.0f;
  }

  __device__ __forceinline__ float of(const float* x) const {
    return x[min(dimension, kHeadDim - 1)];
  }
};
#else
constexpr int kTupleFeatures =  // of one tuple of tiles
    kTileSize * kTileSize * (kDegree > 2 ? kTileSize : 1) * (kDegree > 3 ? kTileSize : 1);
static_assert(kDecodeFeatures % kTupleFeatures == 0, "places within tiles stay");

struct FeatureWalk {
  int tiles[kDegree];
  int places[kDegree];
  bool past;  // the last feature

  __device__ __forceinline__ explicit FeatureWalk(int feature) : past(feature >= kFeatures) {
    int tuple = min(feature, kFeatures - 1) / kTupleFeatures;
    int place = feature % kTupleFeatures;
    int tile = 0;
#pragma unroll
    for (int position = 0; position < kDegree; position++) {
      const int more = kDegree - 1 - position;
      while (tile < kTiles - 1) {
        // Tuples with this tile here: the rest chosen from it on, C(n + more - 1, more).
        int count = 1;
#pragma unroll
        for (int m = 1; m <= more; m++) count = count * (kTiles - tile + m - 1) / m;
        if (tuple < count) break;
        tuple -= count;
        tile++;
      }
      tiles[position] = tile;
    }
#pragma unroll
    for (int position = kDegree - 1; position >= 0; position--) {
      places[position] = place % kTileSize;
      place /= kTileSize;
    }
  }

  __device__ __forceinline__ void advance() {
#pragma unroll
    for (int tuple = 0; tuple < kDecodeFeatures / kTupleFeatures; tuple++) next_tuple();
  }

  // Moves the last tile that can still move, and all after it to the same tile.
  __device__ __forceinline__ void next_tuple() {
    bool moved = false;
#pragma unroll
    for (int position = kDegree - 1; position >= 0; position--) {
      if (!moved && tiles[position] < kTiles - 1) {
        moved = true;
        const int tile = tiles[position] + 1;
#pragma unroll
        for (int later = position; later < kDegree; later++) tiles[later] = tile;
      }
    }
    past = past || !moved;
  }

  // Orderings of the tuple, p! over the factorials of its repetitions; 0 past the last feature.
  __device__ __forceinline__ float multiplicity() const {
    int orderings = 1;
    int run = 1;
#pragma unroll
    for (int position = 1; position < kDegree; position++) {
      run = tiles[position] == tiles[position - 1] ? run + 1 : 1;
      orderings = orderings * (position + 1) / run;
    }
    return past ? 0.0f : (float)orderings;
  }

  __device__ __forceinline__ float of(const float* x) const {
    float product = x[tiles[0] * kTileSize + places[0]];
#pragma unroll
    for (int i = 1; i < kDegree; i++) product *= x[tiles[i] * kTileSize + places[i]];
    return product;
  }
};
#endif
