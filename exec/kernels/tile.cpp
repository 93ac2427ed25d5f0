// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/tile.h"

#include <algorithm>
#include <utility>

namespace lockstep::exec {
namespace {

constexpr std::size_t kMaxVectors = kTileColumns / kLanes;

template <std::size_t Rows, std::size_t Vectors>
using Sums = Vector[Rows][Vectors];

/// Adds all terms of the reduction. Everything is unrolled but its levels; the sums stay in
/// registers, so that each step is Vectors loads, Rows broadcasts and Rows × Vectors multiply-adds:
/// with enough of them the multipliers are never idle. Three rows share a pointer, since an
/// instruction can add a_row to it once or twice.
template <std::size_t Rows, std::size_t Vectors>
inline void reduce(const TileProduct& product, Sums<Rows, Vectors>& sums) {
  constexpr std::size_t kShare = 3;
  constexpr std::size_t kPointers = (Rows + kShare - 1) / kShare;
  const std::ptrdiff_t a_row = product.a_row;
  const Level inner = product.inner;
  for (std::ptrdiff_t i = 0; i < product.outer.count; ++i)
    for (std::ptrdiff_t j = 0; j < product.middle.count; ++j) {
      const float* b = product.b + i * product.outer.b + j * product.middle.b;
      const float* a[kPointers];
      a[0] = product.a + i * product.outer.a + j * product.middle.a;
      for (std::size_t p = 1; p < kPointers; ++p)
        a[p] = a[p - 1] + std::ptrdiff_t{kShare} * a_row;
      for (std::ptrdiff_t k = 0; k < inner.count; ++k) {
        Vector columns[Vectors];
        for (std::size_t v = 0; v < Vectors; ++v)
          columns[v] = load(b + v * kLanes);
#pragma GCC unroll 16
        for (std::size_t m = 0; m < Rows; ++m)
#pragma GCC unroll 2
          for (std::size_t v = 0; v < Vectors; ++v)
            sums[m][v] +=
                a[m / kShare][static_cast<std::ptrdiff_t>(m % kShare) * a_row] * columns[v];
        for (const float*& pointer : a)
          pointer += inner.a;
        b += inner.b;
      }
    }
}

/// A tile whose columns fill whole vectors.
template <std::size_t Rows, std::size_t Vectors>
void multiply_whole(const TileProduct& product) {
  Sums<Rows, Vectors> sums;
  const float* start = product.start;
#pragma GCC unroll 16
  for (std::size_t m = 0; m < Rows; ++m, start += product.start_row)
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Vectors; ++v)
      sums[m][v] = load(start + v * kLanes);
  reduce<Rows, Vectors>(product, sums);
  if (product.relu) {
#pragma GCC unroll 16
    for (std::size_t m = 0; m < Rows; ++m)
#pragma GCC unroll 2
      for (std::size_t v = 0; v < Vectors; ++v)
        sums[m][v] = sums[m][v] < 0 ? Vector{} : sums[m][v];
  }
  float* c = product.c;
#pragma GCC unroll 16
  for (std::size_t m = 0; m < Rows; ++m, c += product.c_row)
#pragma GCC unroll 2
    for (std::size_t v = 0; v < Vectors; ++v)
      store(c + v * kLanes, sums[m][v]);
}

/// Columns that fill no whole vector go through a buffer that they do, so that nothing beyond them
/// is touched.
template <std::size_t Rows, std::size_t Vectors>
void multiply_registers(const TileProduct& product) {
  constexpr std::size_t kWidth = Vectors * kLanes;
  if (product.columns == kWidth) return multiply_whole<Rows, Vectors>(product);
  float buffer[Rows * kWidth] = {};
  for (std::size_t m = 0; m < Rows; ++m)
    std::copy_n(product.start + static_cast<std::ptrdiff_t>(m) * product.start_row, product.columns,
                buffer + m * kWidth);
  TileProduct buffered = product;
  buffered.start = buffer;
  buffered.start_row = kWidth;
  buffered.c = buffer;
  buffered.c_row = kWidth;
  multiply_whole<Rows, Vectors>(buffered);
  for (std::size_t m = 0; m < Rows; ++m)
    std::copy_n(buffer + m * kWidth, product.columns,
                product.c + static_cast<std::ptrdiff_t>(m) * product.c_row);
}

using Multiply = void (*)(const TileProduct&);

template <std::size_t... Index>
constexpr std::array<Multiply, sizeof...(Index)> multiply_table(std::index_sequence<Index...>) {
  return {&multiply_registers<Index / kMaxVectors + 1, Index % kMaxVectors + 1>...};
}

constexpr auto kMultiply = multiply_table(std::make_index_sequence<kTileRows * kMaxVectors>());

}  // namespace

void multiply(const TileProduct& product) {
  const std::size_t vectors = (product.columns + kLanes - 1) / kLanes;
  kMultiply[(product.rows - 1) * kMaxVectors + vectors - 1](product);
}

}  // namespace lockstep::exec
