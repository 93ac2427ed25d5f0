// SPDX-License-Identifier: Apache-2.0
// max(0, x), both directions. Works in place.
#pragma once

#include <cstddef>

#include "exec/kernels/layer_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

void relu_forward(const network::Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                  Team& team);

/// input_gradient = output_gradient where the output is positive, else zero (also at zero).
void relu_input_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                         std::size_t batch, Team& team);

}  // namespace lockstep::exec
