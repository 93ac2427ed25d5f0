// SPDX-License-Identifier: Apache-2.0
// The work table: what the Compute steps of a training job do. The cost model prices a row, the
// executor carries it out.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network/network.h"

namespace lockstep::network {

enum class WorkKind : std::uint8_t {
  Input,         // load the images and labels of the rank's share of the *next* iteration's batch
  Sums,          // batch normalisation: the sums over its input that its mean and variance need
  Forward,       // stage `stage`, from its input to its output activations
  Loss,          // loss and gradient of the last activations
  GradientSums,  // batch normalisation: the sums over the gradient that its backward pass needs
  Backward,      // stage `stage`: gradients of its parameters and (unless it is first) its input
  Update,        // optimizer step on `count` elements from `first` of the flat buffers
};

/// What an Input row has to do for an image.
enum class InputKind : std::uint8_t {
  Pixels,  // they are at hand, a byte each
  Jpeg,    // read and decode its file, scale it down
};

struct Work {
  WorkKind kind = WorkKind::Input;
  InputKind input = InputKind::Pixels;  // Input
  bool augment = false;                 // Input: crops and scales besides
  std::int32_t decoders = 1;            // Input: threads that share it
  std::int32_t stage = -1;              // Sums … Backward: index into Network::stages
  std::uint64_t first = 0;              // Update: first element
  std::uint64_t count = 0;              // Update: number of elements
};

using WorkTable = std::vector<Work>;

/// What a row does to one unit (an image; for Update a parameter), and once: the least there is to
/// do. A multiply-add is two FLOPs; bytes move between cache and memory.
struct Quantities {
  double flops_per_unit = 0;
  double bytes_per_unit = 0;
  double bytes_fixed = 0;  // parameters and their gradients
};
Quantities quantities(const Work& work, const Network& network);

}  // namespace lockstep::network
