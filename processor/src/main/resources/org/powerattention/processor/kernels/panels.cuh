#pragma once
// A tile of rows that threads copy lies in panels of 64 columns: in a panel a row takes a line of 128
// bytes, and its pieces of 16 bytes are exchanged as wgmma's 128-byte swizzle has it. A copy writes
// one line of shared memory at a time, so rows scattered over core matrices take it many times as
// long. A panel begins at a multiple of 1,024 bytes.
constexpr int kPanelColumns = 64;
constexpr int kPanels = (kHeadDim + kPanelColumns - 1) / kPanelColumns;
constexpr int kPieces = kHeadDim / 8;  // of a row

// Elements of a tile of so many rows, a multiple of 8.
template <int kRows>
constexpr int kTileElements = kPanels * kRows * kPanelColumns;

template <int kRows>
__device__ __forceinline__ int panel_place(int row, int column) {
  return (column / kPanelColumns * kRows + row) * kPanelColumns +
         (column / 8 % 8 ^ row % 8) * 8 + column % 8;
}

// A row of such a tile.
template <int kRows>
struct PanelRow {
  const element* first;  // of the row in the first panel
  int exchange;          // row % 8

  __device__ __forceinline__ PanelRow(const element* tile, int row)
      : first(tile + row * kPanelColumns), exchange(row % 8) {}

  // Rows 8 further have their pieces in the same places, this far behind.
  static constexpr int kEightRows = 8 * kPanelColumns;

  // The 8 columns of a piece.
  __device__ __forceinline__ const element* piece(int index) const {
    const int panel = kPanels == 1 ? 0 : index / 8 * (kRows * kPanelColumns);
    return first + (panel + ((kPanels == 1 ? index : index % 8) ^ exchange) * 8);
  }

  __device__ __forceinline__ const element* operator+(int column) const {
    return piece(column / 8) + column % 8;
  }

  __device__ __forceinline__ element operator[](int column) const { return *(*this + column); }
};

// Operands, see operand: distances are those between 8 rows, and between panels.
constexpr uint32 kSwizzled = 1u << 30;  // in the high word
constexpr uint32 kEightLines = 8 * 8;   // in units of 16 bytes

// An operand that is summed over a tile's columns, its first 16; panel_distance is how far it is to
// those from a column on.
__device__ __forceinline__ Operand panel_columns(const element* tile) {
  return operand(tile, 1, kEightLines | kSwizzled);
}

template <int kRows>
__device__ __forceinline__ int panel_distance(int column) {
  return column / kPanelColumns * (kRows * 8) + column % kPanelColumns / 8;
}

// An operand that is summed over 16 rows of a tile, from `row` on.
template <int kRows>
__device__ __forceinline__ Operand panel_rows(const element* tile, int row) {
  return operand(tile + row * kPanelColumns, kRows * 8, kEightLines | kSwizzled);
}
