// SPDX-License-Identifier: Apache-2.0
// The steps of SGD. They work on any slice of the flat buffers, so that a bucket can be updated as
// soon as its gradients have arrived.
#pragma once

#include <span>

namespace lockstep::exec {

struct SgdStep {
  float rate = 0;
  float momentum = 0;
  float weight_decay = 0;
  float ratio = 1;  // LARS: of this tensor's rate to the others'
};

/// Stochastic gradient descent with momentum, in PyTorch's form:
/// velocity ← momentum · velocity + ratio · (gradient + weight_decay · parameter);
/// parameter ← parameter − rate · velocity.
/// The rate stands outside the velocity, so that a change of the rate acts at once and needs no
/// momentum correction (Goyal et al. 2017, section 3, eq. 9 against 10).
/// The three spans have one length and don't overlap.
void sgd(std::span<float> parameters, std::span<float> velocity, std::span<const float> gradients,
         const SgdStep& step);

/// The same with Nesterov's momentum: with the new velocity, and g = gradient + weight_decay ·
/// parameter, parameter ← parameter − rate · (g + momentum · velocity). `ratio` is not used.
void nesterov(std::span<float> parameters, std::span<float> velocity,
              std::span<const float> gradients, const SgdStep& step);

/// Adds `gradients` to those of a step that has been taken: velocity and parameter become what they
/// would be had it been taken with both, but for rounding. `ratio` and `weight_decay` are not used.
void add_to_sgd(std::span<float> parameters, std::span<float> velocity,
                std::span<const float> gradients, const SgdStep& step);
void add_to_nesterov(std::span<float> parameters, std::span<float> velocity,
                     std::span<const float> gradients, const SgdStep& step);

/// LARS's ratio of a tensor (You et al. 2017, eq. 6): trust · |w| / (|g| + weight_decay · |w| +
/// epsilon), of the norms of its parameters and gradients; 1 if either is 0.
double lars_ratio(double parameter_norm, double gradient_norm, double trust, double weight_decay,
                  double epsilon);

}  // namespace lockstep::exec
