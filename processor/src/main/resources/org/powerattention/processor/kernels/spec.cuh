// Stands in for the constants that the generator writes, so that an editor or nvcc can take the
// pieces as they are: degree 2, headDim 64, chunk 1024, BF16, gated, normalised.
#pragma once
#define DEGREE 2
#define HEAD_DIM 64
#define BF16 1
#define FP16 0
#define FP32 0
#define GATED 1
#define NORMALIZED 1
#define SM90 0
#define WGMMA 0
#define STRIP 64

constexpr int kDegree = 2;
constexpr int kHeadDim = 64;
constexpr int kFeatures = 2304;
constexpr int kTileSize = 8;
constexpr int kTiles = 8;
constexpr int kRowStride = 72;
constexpr int kOutputThreads = 128;
constexpr int kOutputRows = 128;
constexpr int kRowBlocks = 2;
constexpr int kKeyTile = 64;
constexpr int kSlab = 64;
constexpr int kOutputSharedBytes = 55808;
constexpr int kStateThreads = 128;
constexpr int kStateFeatures = 256;
constexpr int kWarpBlocks = 4;
constexpr int kStateSharedBytes = 38912;
constexpr int kSumColumns = 72;
constexpr long long kSnapshotBytes = 331776;
constexpr int kTurn = 32;
