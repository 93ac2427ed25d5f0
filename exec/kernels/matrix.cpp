// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/matrix.h"

#include <algorithm>
#include <cstring>

#include "exec/kernels/tile.h"

namespace lockstep::exec {
namespace {

typedef float Quad __attribute__((vector_size(16)));
typedef int QuadIndex __attribute__((vector_size(16)));

/// Four rows of four: pairs of rows are interleaved, then pairs of pairs.
void transpose_quad(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  Quad rows[4];
  for (std::size_t r = 0; r < 4; ++r)
    std::memcpy(&rows[r], from + r * from_stride, sizeof(Quad));
  constexpr QuadIndex kLow{0, 4, 1, 5}, kHigh{2, 6, 3, 7}, kFirst{0, 1, 4, 5}, kSecond{2, 3, 6, 7};
  const Quad low01 = __builtin_shuffle(rows[0], rows[1], kLow);
  const Quad low23 = __builtin_shuffle(rows[2], rows[3], kLow);
  const Quad high01 = __builtin_shuffle(rows[0], rows[1], kHigh);
  const Quad high23 = __builtin_shuffle(rows[2], rows[3], kHigh);
  const Quad columns[4] = {
      __builtin_shuffle(low01, low23, kFirst), __builtin_shuffle(low01, low23, kSecond),
      __builtin_shuffle(high01, high23, kFirst), __builtin_shuffle(high01, high23, kSecond)};
  for (std::size_t c = 0; c < 4; ++c)
    std::memcpy(to + c * to_stride, &columns[c], sizeof(Quad));
}

}  // namespace

void transpose(const float* from, std::size_t rows, std::size_t columns, std::size_t from_stride,
               float* to, std::size_t to_stride) {
  const std::size_t whole_rows = rows / 4 * 4;
  const std::size_t whole_columns = columns / 4 * 4;
  for (std::size_t r = 0; r < whole_rows; r += 4)
    for (std::size_t c = 0; c < whole_columns; c += 4)
      transpose_quad(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
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
