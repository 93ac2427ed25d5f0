// SPDX-License-Identifier: Apache-2.0
// A dense (fully connected) layer, alone or with the ReLU behind it, both directions. Its input is
// taken flat, whatever its shape.
#pragma once

#include <cstddef>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// The layers of a stage that begins with a dense layer (network.h).
struct DenseStage {
  const network::Layer& layer;
  bool relu = false;
};

/// Floats of scratch that the functions below need with a team of `threads`.
std::size_t dense_scratch(const DenseStage& stage, std::size_t threads);

/// output = relu(bias + input · weight).
void dense_forward(const DenseStage& stage, const StageBuffers& buffers, std::size_t batch,
                   Team& team);

/// Overwrites the gradients of weight and bias with the sum over the batch, and writes the input's
/// gradient, if anybody needs it. With a ReLU, overwrites output_gradient by what it lets through.
/// Each element is summed by one thread, image by image: the result doesn't depend on the size of
/// the team.
void dense_backward(const DenseStage& stage, const StageBuffers& buffers, std::size_t batch,
                    Team& team);

}  // namespace lockstep::exec
