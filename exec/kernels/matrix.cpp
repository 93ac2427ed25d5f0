// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/matrix.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "exec/kernels/tile.h"

namespace lockstep::exec {
namespace {

/// Index k of a shuffle of two vectors that takes `run` elements in turns from the halves of each
/// group of four: the first ones (high = 0) or the last ones.
constexpr int interleaved(std::size_t k, std::size_t run, bool high) {
  const std::size_t quad = k / 4 * 4;
  const std::size_t in_quad = k % 4;
  const std::size_t from_second = in_quad / run % 2;
  const std::size_t element = in_quad / (2 * run) * run + in_quad % run + (high ? 2 : 0);
  return static_cast<int>(quad + element + from_second * kLanes);
}

template <std::size_t... k>
constexpr IntVector interleaving(std::size_t run, bool high, std::index_sequence<k...>) {
  return IntVector{interleaved(k, run, high)...};
}

/// Four rows of one vector each: afterwards row j holds, in its quad q, the four elements of column
/// 4q + j. Pairs of rows are interleaved, then pairs of pairs.
void transpose_quads(Vector (&rows)[4]) {
  using Lanes = std::make_index_sequence<kLanes>;
  constexpr IntVector kLow = interleaving(1, false, Lanes{});
  constexpr IntVector kHigh = interleaving(1, true, Lanes{});
  constexpr IntVector kFirst = interleaving(2, false, Lanes{});
  constexpr IntVector kSecond = interleaving(2, true, Lanes{});
  const Vector low01 = __builtin_shuffle(rows[0], rows[1], kLow);
  const Vector low23 = __builtin_shuffle(rows[2], rows[3], kLow);
  const Vector high01 = __builtin_shuffle(rows[0], rows[1], kHigh);
  const Vector high23 = __builtin_shuffle(rows[2], rows[3], kHigh);
  rows[0] = __builtin_shuffle(low01, low23, kFirst);
  rows[1] = __builtin_shuffle(low01, low23, kSecond);
  rows[2] = __builtin_shuffle(high01, high23, kFirst);
  rows[3] = __builtin_shuffle(high01, high23, kSecond);
}

/// Four rows × kLanes columns.
void transpose_strip(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  Vector rows[4];
  for (std::size_t r = 0; r < 4; ++r)
    rows[r] = load(from + r * from_stride);
  transpose_quads(rows);
  for (std::size_t j = 0; j < 4; ++j) {
    float quads[kLanes];
    store(quads, rows[j]);
    for (std::size_t q = 0; q < kLanes / 4; ++q)
      std::memcpy(to + (4 * q + j) * to_stride, quads + 4 * q, 4 * sizeof(float));
  }
}

}  // namespace

// Column by column block, so that the rows written stay in the cache until they are complete.
void transpose(const float* from, std::size_t rows, std::size_t columns, std::size_t from_stride,
               float* to, std::size_t to_stride) {
  const std::size_t whole_rows = rows / 4 * 4;
  const std::size_t whole_columns = columns / kLanes * kLanes;
  for (std::size_t r = 0; r < whole_rows; r += 4)
    for (std::size_t c = 0; c < whole_columns; c += kLanes) {
      const float* strip = from + r * from_stride + c;
      for (std::size_t ahead = 4; ahead < 8; ++ahead)
        __builtin_prefetch(strip + ahead * from_stride);
      transpose_strip(strip, from_stride, to + c * to_stride + r, to_stride);
    }
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
      to[c * to_stride + r] = from[r * from_stride + c];
}

void add_rows(const float* matrix, std::size_t rows, std::size_t columns, Range range,
              float* sums) {
  // Eight rows at a time: the sums go through memory, and waiting for them row by row would take
  // longer than reading the matrix.
  std::size_t row = 0;
  for (; row + 8 <= rows; row += 8) {
    const float* r = matrix + row * columns;
    for (std::size_t n = range.first; n < range.last; ++n)
      sums[n] +=
          ((r[n] + r[n + columns]) + (r[n + 2 * columns] + r[n + 3 * columns])) +
          ((r[n + 4 * columns] + r[n + 5 * columns]) + (r[n + 6 * columns] + r[n + 7 * columns]));
  }
  for (; row < rows; ++row)
    for (std::size_t n = range.first; n < range.last; ++n)
      sums[n] += matrix[row * columns + n];
}

void pack_panel(const float* matrix, std::size_t rows, std::size_t columns, std::size_t row_stride,
                float* panel) {
  const std::size_t width = whole_vectors(columns);
  if (columns == kTileColumns) {
    for (std::size_t row = 0; row < rows; ++row)
      std::memcpy(panel + row * kTileColumns, matrix + row * row_stride,
                  kTileColumns * sizeof(float));
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(matrix + row * row_stride, columns, panel + row * width);
    std::fill_n(panel + row * width + columns, width - columns, 0.0f);
  }
}

}  // namespace lockstep::exec
