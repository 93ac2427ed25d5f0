// SPDX-License-Identifier: Apache-2.0
// A convolution (cross-correlation, as everywhere in deep learning), alone or with the ReLU and the
// max-pool behind it, both directions.
#pragma once

#include <cstddef>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// The layers of a stage that begins with a convolution (network.h).
struct ConvolutionStage {
  const network::Layer& convolution;
  bool relu = false;
  const network::Layer* pool = nullptr;  // windows that don't overlap, no padding
};

/// Floats of scratch that the functions below need with a team of `threads`.
std::size_t convolution_scratch(const ConvolutionStage& stage, std::size_t batch,
                                std::size_t threads);

/// output = bias + weight applied to every window of the input; then ReLU; then the maximum of
/// every pooling window, whose place is left in `winners` (see max_pool.h). The map in front of the
/// pool is never in memory as a whole.
void convolution_forward(const ConvolutionStage& stage, const StageBuffers& buffers,
                         std::size_t batch, Team& team);

/// Overwrites the gradients of weight and bias with the sum over the batch, and writes the input's
/// gradient, if anybody needs it. Each element is summed by one thread, image by image: the result
/// doesn't depend on the size of the team.
void convolution_backward(const ConvolutionStage& stage, const StageBuffers& buffers,
                          std::size_t batch, Team& team);

}  // namespace lockstep::exec
