// SPDX-License-Identifier: Apache-2.0
// A dense (fully connected) layer, both directions. Its input is taken flat, whatever its shape.
#pragma once

#include <cstddef>

#include "exec/kernels/layer_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// Floats of scratch that the functions below need with a team of `threads`.
std::size_t dense_scratch(const network::Layer& layer, std::size_t threads);

/// output = bias + input · weight.
void dense_forward(const network::Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                   Team& team);

/// Overwrites the gradients of weight and bias with the sum over the batch. Each element is summed
/// by one thread, image by image: the result doesn't depend on the size of the team.
void dense_parameter_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                              std::size_t batch, Team& team);

/// Overwrites input_gradient with output_gradient · weightᵀ.
void dense_input_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                          std::size_t batch, Team& team);

}  // namespace lockstep::exec
