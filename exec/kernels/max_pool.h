// SPDX-License-Identifier: Apache-2.0
// The maximum of every window of every channel, both directions; padding never wins.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// A max-pool by itself. Also writes `winners` (as many per image as outputs, without a stride):
/// the maximum's place in the window, row by row; the first one of equals.
void max_pool_forward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                      Team& team);

/// Each output's gradient goes to the winner of its window; where windows overlap, they add up.
void max_pool_backward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                       Team& team);

/// The winner's place where a ReLU in front of the pool has let nothing through.
inline constexpr std::uint8_t kNobody = 255;

/// For pooling behind a convolution: the first `channels` channels of a row of outputs, from the
/// rows of input that it covers (a pixel is `channels` floats); without padding. With `relu` a
/// window without a positive element gives zero, and its winner is kNobody.
void max_pool_row(const network::Layer& layer, bool relu, const float* rows, std::size_t channels,
                  float* output, std::uint8_t* winners);

/// The other way, for windows that don't overlap: the input's gradient at the rows that row `y` of
/// the output covers, and at those between it and the next or behind the last. All pointers are to
/// the image's begin.
void max_pool_expand_row(const network::Layer& layer, std::size_t y, const float* output_gradient,
                         const std::uint8_t* winners, float* input_gradient);

}  // namespace lockstep::exec
