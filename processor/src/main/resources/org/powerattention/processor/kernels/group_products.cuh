#pragma once
// Stands in for the products that the generator writes: here those of headDim 64, normalised, with
// the constants that such a source has besides those of spec.cuh.
constexpr int kOutputGroups = 4;
constexpr int kSlabStages = 8;
constexpr int kKeyStages = 6;
constexpr int kMultiplierRegisters = 112;
constexpr int kBringerRegisters = 32;
constexpr int kStateGroups = 3;
constexpr int kGroupTiles = 3;
constexpr int kStateStages = 4;
constexpr int kRawStages = 3;
constexpr int kStateMultiplierRegisters = 152;
constexpr int kStateBringerRegisters = 56;

__device__ void multiply_group(float (&sums)[36], const uint32 (&a)[4], uint64 b);

__device__ void multiply_values(float (&sums)[36], const uint32 (&a)[4], uint64 b);
