// SPDX-License-Identifier: Apache-2.0
// The inner loop of all convolutions and dense layers: a small matrix product in registers.
#pragma once

#include <array>
#include <cstddef>

namespace lockstep::exec {

#if defined(__AVX512F__)
inline constexpr std::size_t kLanes = 16;     // floats of a vector register
inline constexpr std::size_t kTileRows = 14;  // 28 accumulators of 32 registers
#elif defined(__AVX__)
inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kTileRows = 6;  // 12 accumulators of 16 registers
#else
inline constexpr std::size_t kLanes = 4;
inline constexpr std::size_t kTileRows = 6;
#endif
inline constexpr std::size_t kTileColumns = 2 * kLanes;

/// c[m][n] = start[m][n] + Σ_{i < outer} Σ_{j < inner}
///               a[m·a_row + i·a_outer + j·a_inner] · b[i·b_outer + j·b_inner + n]
/// for m < rows, n < columns; the sums are taken in this order. That the reduction has two levels
/// with free strides is what makes copies of the input (im2col) unnecessary: the windows of a
/// convolution are read where they lie.
///
/// `b` is read in whole vectors: up to kTileColumns − 1 floats beyond `columns` must be readable
/// (their values don't matter). `start` may be `c`.
struct TileProduct {
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0;
  std::ptrdiff_t a_outer = 0;
  std::ptrdiff_t a_inner = 0;
  const float* b = nullptr;
  std::ptrdiff_t b_outer = 0;
  std::ptrdiff_t b_inner = 0;
  std::ptrdiff_t outer = 0;
  std::ptrdiff_t inner = 0;
  const float* start = nullptr;
  std::ptrdiff_t start_row = 0;
  float* c = nullptr;
  std::ptrdiff_t c_row = 0;
  std::size_t rows = 0;     // 1 … kTileRows
  std::size_t columns = 0;  // 1 … kTileColumns
};

void multiply(const TileProduct& product);

/// A `start` of zeros (with start_row = 0).
inline constexpr std::array<float, kTileColumns> kZeros{};

/// `count` rounded up to whole vectors.
constexpr std::size_t whole_vectors(std::size_t count) {
  return (count + kLanes - 1) / kLanes * kLanes;
}

}  // namespace lockstep::exec
