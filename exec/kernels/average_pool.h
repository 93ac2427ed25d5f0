// SPDX-License-Identifier: Apache-2.0
// The mean of every window of every channel, or of the whole map, both directions. Padding counts
// as zeros, so that every window is divided by the same number.
#pragma once

#include <cstddef>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// `layer` is an AveragePool or a GlobalAveragePool.
void average_pool_forward(const network::Layer& layer, const StageBuffers& buffers,
                          std::size_t batch, Team& team);

/// Each output's gradient, divided by the window's size, goes to all of its window.
void average_pool_backward(const network::Layer& layer, const StageBuffers& buffers,
                           std::size_t batch, Team& team);

}  // namespace lockstep::exec
