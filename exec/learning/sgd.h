// SPDX-License-Identifier: Apache-2.0
// The optimizer step. Works on any slice of the flat buffers, so that a bucket can be updated as
// soon as its gradients have arrived.
#pragma once

#include <span>

namespace lockstep::exec {

/// Stochastic gradient descent with momentum, in PyTorch's form:
/// velocity ← momentum · velocity + gradient; parameter ← parameter − learning_rate · velocity.
/// The three spans have one length and don't overlap.
void sgd_momentum(std::span<float> parameters, std::span<float> velocity,
                  std::span<const float> gradients, float learning_rate, float momentum);

}  // namespace lockstep::exec
