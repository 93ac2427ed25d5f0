// SPDX-License-Identifier: Apache-2.0
// Small passes over row-major matrices that convolutions and dense layers share.
#pragma once

#include <cstddef>

#include "exec/kernels/share.h"

namespace lockstep::exec {

/// sums[n] += Σ_{row < rows} matrix[row·columns + n], for n in `range`.
void add_rows(const float* matrix, std::size_t rows, std::size_t columns, Range range, float* sums);

/// A panel for tile products: `columns` (up to kTileColumns) of a row-major matrix, row after row
/// in whole vectors, zeros behind.
void pack_panel(const float* matrix, std::size_t rows, std::size_t columns, std::size_t row_stride,
                float* panel);

/// to[c·to_stride + r] = from[r·from_stride + c], for r < rows, c < columns.
void transpose(const float* from, std::size_t rows, std::size_t columns, std::size_t from_stride,
               float* to, std::size_t to_stride);

}  // namespace lockstep::exec
