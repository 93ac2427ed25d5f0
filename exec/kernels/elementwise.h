// SPDX-License-Identifier: Apache-2.0
// Layers that take each element by itself: ReLU, addition and dropout, both directions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// output = relu(input).
void relu_forward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                  Team& team);
void relu_backward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                   Team& team);

/// output = input + residual, then, with `relu`, max(0, ·).
void add_forward(const network::Layer& layer, bool relu, const StageBuffers& buffers,
                 std::size_t batch, Team& team);
/// With `relu`, overwrites output_gradient by what it lets through: that is the residual's
/// gradient. The input's, if anybody needs it, is the same.
void add_backward(const network::Layer& layer, bool relu, const StageBuffers& buffers,
                  std::size_t batch, Team& team);

/// Which elements a dropout layer lets through: they follow from these numbers and the element's
/// place in the image, whatever rank has the image.
struct DropoutDraw {
  std::uint64_t seed = 0;
  std::uint64_t iteration = 0;
  std::uint64_t layer = 0;
  std::uint64_t first_image = 0;  // of the rank's share, in the global batch
};

/// Zero with probability `rate`, else input / (1 − rate).
void dropout_forward(const network::Layer& layer, const DropoutDraw& draw,
                     const StageBuffers& buffers, std::size_t batch, Team& team);
/// The same elements are let through.
void dropout_backward(const network::Layer& layer, const DropoutDraw& draw,
                      const StageBuffers& buffers, std::size_t batch, Team& team);

/// output = input; of flatten by itself, and of dropout in testing.
void copy_forward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                  Team& team);
void copy_backward(const network::Layer& layer, const StageBuffers& buffers, std::size_t batch,
                   Team& team);

/// into = from, or with `adds` into += from: `elements` of each image.
void pass_on(Images<const float> from, std::size_t elements, std::size_t batch, bool adds,
             Images<float> into, Team& team);

}  // namespace lockstep::exec
