// SPDX-License-Identifier: Apache-2.0
// A convolution layer (cross-correlation, as everywhere in deep learning), both directions.
#pragma once

#include <cstddef>

#include "exec/kernels/layer_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// Floats of scratch that the functions below need.
std::size_t convolution_scratch(const network::Layer& layer);

/// output = bias + weight applied to every window of the input.
void convolution_forward(const network::Layer& layer, const LayerBuffers& buffers,
                         std::size_t batch, Team& team);

/// Overwrites the gradients of weight and bias with the sum over the batch. Each element is summed
/// by one thread, image by image: the result doesn't depend on the size of the team.
void convolution_parameter_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                                    std::size_t batch, Team& team);

/// Overwrites input_gradient.
void convolution_input_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                                std::size_t batch, Team& team);

}  // namespace lockstep::exec
