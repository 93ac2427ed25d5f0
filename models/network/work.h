// SPDX-License-Identifier: Apache-2.0
// The work table: what the Compute steps of a training job do. The cost model prices a row, the
// executor carries it out.
#pragma once

#include <array>
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
  Accumulate,    // add the gradients of a micro-batch (of the first: copy) to the batch's
  PartNorm,      // squared norm of a micro-batch's gradients: elements as of Update
  WholeNorm,     // squared norm of the batch's gradients, likewise
  Update,        // optimizer step on `count` elements from `first` of the flat buffers
  Weigh,         // parameters times the rank's share of the batch: its part of the average
  Adopt,         // the average becomes the parameters
  Apply,         // optimizer step on a rank's shard by the gradients of one rank, on one thread
  HandOut,       // copy of a shard's parameters, on one thread
};

/// What an Input row has to do for an image.
enum class InputKind : std::uint8_t {
  Pixels,  // they are at hand, a byte each
  Jpeg,    // read and decode its file, scale it down
};

/// By which rule an Update row makes new parameters out of gradients.
enum class Optimizer : std::uint8_t {
  Sgd,       // with momentum
  Nesterov,  // SGD that looks ahead by its momentum (Sutskever et al. 2013)
  Lars,      // SGD with a rate for each tensor, by its norms (You, Gitman, Ginsburg 2017)
  Lamb,      // Adam with a rate for each tensor (You et al. 2020)
  Adam,      // with decoupled weight decay (Loshchilov & Hutter 2019)
};

inline constexpr std::array kOptimizers{Optimizer::Sgd, Optimizer::Nesterov, Optimizer::Lars,
                                        Optimizer::Lamb, Optimizer::Adam};

struct Work {
  WorkKind kind = WorkKind::Input;
  InputKind input = InputKind::Pixels;   // Input
  bool augment = false;                  // Input: crops and scales besides
  std::int32_t decoders = 1;             // Input: threads that share it
  std::int32_t stage = -1;               // Sums … Backward: index into Network::stages
  std::int32_t micro_batch = 0;          // Input … PartNorm: of the rank's share of the batch
  std::int32_t micro_batches = 1;        // … that many. Input loads the one after `micro_batch`
  std::uint64_t first = 0;               // Accumulate … HandOut: first element
  std::uint64_t count = 0;               // Accumulate … HandOut: number of elements
  Optimizer optimizer = Optimizer::Sgd;  // Update, Apply

  friend bool operator==(const Work&, const Work&) = default;
};

/// Whether what a row costs depends on elements of the flat buffers (`count`), not on images.
bool is_per_parameter(WorkKind kind);

/// Whether the communication thread does it, as a server of parameters.
inline bool is_served(WorkKind kind) {
  return kind == WorkKind::Apply || kind == WorkKind::HandOut;
}

/// The units of a row: elements, or the images of its micro-batch of a rank's `share` of the batch.
std::int64_t units(const Work& work, std::int32_t share);

/// Micro-batch m of a share is the images from first_of_part(share, parts, m) up to, not including,
/// first_of_part(share, parts, m + 1): as even as it goes. So are shares of a batch.
std::int32_t first_of_part(std::int32_t whole, std::int32_t parts, std::int32_t part);

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
