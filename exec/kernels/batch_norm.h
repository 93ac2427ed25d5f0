// SPDX-License-Identifier: Apache-2.0
// Batch normalisation (Ioffe and Szegedy 2015), with the addition and the ReLU behind it, both
// directions, in the two steps that sums over the whole batch divide them into.
#pragma once

#include <cstddef>

#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// A stage that begins with a batch normalisation (network.h).
struct BatchNormStage {
  const network::Layer& layer;
  bool adds = false;
  bool relu = false;
};

// `buffers.sums` holds, for each channel c, Σ (x − r) at [c], Σ (x − r)² at [C + c], Σ g at [2C +
// c] and Σ g·x̂ at [3C + c]: over the rank's images, or, once they are added up, over all ranks'. g
// is the output's gradient where the ReLU lets it through, x̂ the normalised input. r is near the
// mean, so that the variance does not drown in rounding: the first element there is, or, where
// ranks have to agree on it, the running mean. It is kept in `buffers.shift`.

/// Floats of scratch that the functions below need with a team of `threads`.
std::size_t batch_norm_scratch(const network::Layer& layer, std::size_t batch, std::size_t threads);

/// Writes the first two sums; `shared`: to be added to other ranks'.
void batch_norm_sums(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                     bool shared, Team& team);

/// output = relu(weight · x̂ + bias + residual), where mean and variance follow from sums over
/// `images` images.
void batch_norm_forward(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                        std::size_t images, Team& team);

/// The same in testing: with the running mean and variance.
void batch_norm_test(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                     Team& team);

/// Writes the last two sums, and into the gradients those of weight and bias, which are the same
/// two over the rank's images. With a ReLU, overwrites output_gradient by what it lets through:
/// that is also the residual's gradient.
void batch_norm_gradient_sums(const BatchNormStage& stage, const StageBuffers& buffers,
                              std::size_t batch, std::size_t images, Team& team);

/// Writes the input's gradient from sums over `images` images; into the gradients of running mean
/// and variance the batch's (the variance with n − 1), times `share`, the rank's part of the batch.
void batch_norm_backward(const BatchNormStage& stage, const StageBuffers& buffers,
                         std::size_t batch, std::size_t images, double share, Team& team);

}  // namespace lockstep::exec
