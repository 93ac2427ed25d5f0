// SPDX-License-Identifier: Apache-2.0
// Squared norms that come out the same to the bit on every processor and for any number of threads.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep::exec {

/// What is summed is cut into blocks of so many elements, at most; threads share blocks, and the
/// blocks' sums are added in order.
inline constexpr std::size_t kNormBlock = 16384;

/// Σ x² of at most a block, in the order of sum_in_lanes() (lanes.h).
double squared_norm(std::span<const float> block);

}  // namespace lockstep::exec
