// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/tile.h"

#include <algorithm>
#include <utility>

namespace lockstep::exec {
namespace {

constexpr std::size_t kMaxVectors = kTileColumns / kLanes;

/// The product of a tile of Rows × Vectors registers. Everything is unrolled but the reduction;
/// the accumulators stay in registers, so that each step is Vectors loads, Rows broadcasts and
/// Rows × Vectors multiply-adds: with enough of them the multipliers are never idle. Columns that
/// fill no whole vector go through `edge`, so that nothing beyond them is touched.
template <std::size_t Rows, std::size_t Vectors>
void multiply_registers(const TileProduct& product) {
  Vector sums[Rows][Vectors];
  float edge[Vectors * kLanes] = {};
  const bool whole = product.columns == Vectors * kLanes;
  const std::ptrdiff_t a_row = product.a_row;
  for (std::size_t m = 0; m < Rows; ++m) {
    const float* start = product.start + static_cast<std::ptrdiff_t>(m) * product.start_row;
    if (!whole) {
      std::copy_n(start, product.columns, edge);
      start = edge;
    }
    for (std::size_t v = 0; v < Vectors; ++v)
      sums[m][v] = load(start + v * kLanes);
  }
  for (std::ptrdiff_t i = 0; i < product.outer.count; ++i)
    for (std::ptrdiff_t j = 0; j < product.middle.count; ++j) {
      const float* a = product.a + i * product.outer.a + j * product.middle.a;
      const float* b = product.b + i * product.outer.b + j * product.middle.b;
      for (std::ptrdiff_t k = 0; k < product.inner.count; ++k) {
        Vector columns[Vectors];
        for (std::size_t v = 0; v < Vectors; ++v)
          columns[v] = load(b + v * kLanes);
#pragma GCC unroll 16
        for (std::size_t m = 0; m < Rows; ++m)
#pragma GCC unroll 2
          for (std::size_t v = 0; v < Vectors; ++v)
            sums[m][v] += a[static_cast<std::ptrdiff_t>(m) * a_row] * columns[v];
        a += product.inner.a;
        b += product.inner.b;
      }
    }
  for (std::size_t m = 0; m < Rows; ++m) {
    float* c = product.c + static_cast<std::ptrdiff_t>(m) * product.c_row;
    float* to = whole ? c : edge;
    for (std::size_t v = 0; v < Vectors; ++v) {
      const Vector sum = sums[m][v];
      store(to + v * kLanes, product.relu ? (sum < 0 ? Vector{} : sum) : sum);
    }
    if (!whole) std::copy_n(edge, product.columns, c);
  }
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
