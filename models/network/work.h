// SPDX-License-Identifier: Apache-2.0
// The work table: what the Compute steps of a training job do. The cost model prices a row, the
// executor carries it out.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep::network {

enum class WorkKind : std::uint8_t {
  Input,     // load the images and labels of the rank's share of the *next* iteration's batch
  Forward,   // layer `layer`, from its input to its output activations
  Loss,      // softmax cross-entropy: loss and gradient of the last activations
  Backward,  // layer `layer`: gradients of its parameters and (unless it is first) its input
  Update,    // optimizer step on `count` parameters from `first` of the flat buffers
};

struct Work {
  WorkKind kind = WorkKind::Input;
  std::int32_t layer = -1;  // Forward, Backward: index into Network::layers
  std::uint64_t first = 0;  // Update: first parameter
  std::uint64_t count = 0;  // Update: number of parameters
};

using WorkTable = std::vector<Work>;

}  // namespace lockstep::network
