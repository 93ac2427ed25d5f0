// SPDX-License-Identifier: Apache-2.0
// The maximum of every window of every channel, both directions.
#pragma once

#include <cstddef>

#include "exec/kernels/layer_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// Also writes `winners` (as many per image as outputs, without a stride): the maximum's place in
/// the window, row by row; the first one of equals.
void max_pool_forward(const network::Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                      Team& team);

/// Each output's gradient goes to the winner of its window; where windows overlap, they add up.
void max_pool_input_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                             std::size_t batch, Team& team);

}  // namespace lockstep::exec
