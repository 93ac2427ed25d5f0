// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/tile.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lockstep::exec {
namespace {

// GCC's vector type: one register, for every instruction set that it is compiled for.
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

constexpr std::size_t kMaxVectors = kTileColumns / kLanes;

Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

void store(float* to, Vector vector) {
  std::memcpy(to, &vector, sizeof vector);
}

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
  for (std::ptrdiff_t i = 0; i < product.outer; ++i) {
    const float* a = product.a + i * product.a_outer;
    const float* b = product.b + i * product.b_outer;
    for (std::ptrdiff_t j = 0; j < product.inner; ++j) {
      Vector columns[Vectors];
      for (std::size_t v = 0; v < Vectors; ++v)
        columns[v] = load(b + v * kLanes);
#pragma GCC unroll 16
      for (std::size_t m = 0; m < Rows; ++m)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < Vectors; ++v)
          sums[m][v] += a[static_cast<std::ptrdiff_t>(m) * a_row] * columns[v];
      a += product.a_inner;
      b += product.b_inner;
    }
  }
  for (std::size_t m = 0; m < Rows; ++m) {
    float* c = product.c + static_cast<std::ptrdiff_t>(m) * product.c_row;
    float* to = whole ? c : edge;
    for (std::size_t v = 0; v < Vectors; ++v)
      store(to + v * kLanes, sums[m][v]);
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
