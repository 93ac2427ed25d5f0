// SPDX-License-Identifier: Apache-2.0
// The inner loop of all convolutions and dense layers: a small matrix product in registers.
#pragma once

#include <array>
#include <cstddef>

#include "exec/kernels/vector.h"

namespace lockstep::exec {

#if defined(__AVX512F__)
inline constexpr std::size_t kTileRows = 14;  // 28 accumulators of 32 registers
#else
inline constexpr std::size_t kTileRows = 6;  // 12 accumulators of 16 registers
#endif
inline constexpr std::size_t kTileColumns = 2 * kLanes;

/// One level of a reduction: so many terms, and how far both operands move from one to the next.
struct Level {
  std::ptrdiff_t count = 1;
  std::ptrdiff_t a = 0;
  std::ptrdiff_t b = 0;
};

/// c[m][n] = start[m][n] + Σ_{i, j, k} a[m·a_row + i·outer.a + j·middle.a + k·inner.a] ·
///                                     b[i·outer.b + j·middle.b + k·inner.b + n]
/// for m < rows, n < columns, and then, with `relu`, max(0, ·); the sums are taken in this order.
/// That the reduction has three levels with free strides is what makes copies of the input (im2col)
/// unnecessary: the windows of a convolution are read where they lie.
///
/// `b` is read in whole vectors: up to kTileColumns − 1 floats beyond `columns` must be readable
/// (their values don't matter). `start` may be `c`.
struct TileProduct {
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0;
  const float* b = nullptr;
  Level outer{};
  Level middle{};
  Level inner{};
  const float* start = nullptr;
  std::ptrdiff_t start_row = 0;
  float* c = nullptr;
  std::ptrdiff_t c_row = 0;
  std::size_t rows = 0;     // 1 … kTileRows
  std::size_t columns = 0;  // 1 … kTileColumns
  bool relu = false;
};

void multiply(const TileProduct& product);

/// A `start` of zeros (with start_row = 0).
inline constexpr std::array<float, kTileColumns> kZeros{};

}  // namespace lockstep::exec
