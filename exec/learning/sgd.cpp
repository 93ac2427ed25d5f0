// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/sgd.h"

#include <Eigen/Core>
#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

void check_sizes(std::size_t parameters, std::size_t velocity, std::size_t gradients) {
  LOCKSTEP_CHECK(velocity == parameters && gradients == parameters,
                 std::to_string(parameters) + " parameters, " + std::to_string(velocity) +
                     " velocities, " + std::to_string(gradients) + " gradients");
}

using Floats = Eigen::Map<Eigen::ArrayXf>;
using ConstFloats = Eigen::Map<const Eigen::ArrayXf>;

}  // namespace

void sgd(std::span<float> parameters, std::span<float> velocity, std::span<const float> gradients,
         const SgdStep& step) {
  check_sizes(parameters.size(), velocity.size(), gradients.size());
  const auto size = static_cast<Eigen::Index>(parameters.size());
  Floats parameter(parameters.data(), size);
  Floats speed(velocity.data(), size);
  const ConstFloats gradient(gradients.data(), size);
  if (step.weight_decay == 0 && step.ratio == 1)
    speed = step.momentum * speed + gradient;
  else
    speed = step.momentum * speed + step.ratio * (gradient + step.weight_decay * parameter);
  parameter -= step.rate * speed;
}

void nesterov(std::span<float> parameters, std::span<float> velocity,
              std::span<const float> gradients, const SgdStep& step) {
  check_sizes(parameters.size(), velocity.size(), gradients.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const float gradient = gradients[i] + step.weight_decay * parameters[i];
    velocity[i] = step.momentum * velocity[i] + gradient;
    parameters[i] -= step.rate * (gradient + step.momentum * velocity[i]);
  }
}

void add_to_sgd(std::span<float> parameters, std::span<float> velocity,
                std::span<const float> gradients, const SgdStep& step) {
  check_sizes(parameters.size(), velocity.size(), gradients.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    velocity[i] += gradients[i];
    parameters[i] -= step.rate * gradients[i];
  }
}

void add_to_nesterov(std::span<float> parameters, std::span<float> velocity,
                     std::span<const float> gradients, const SgdStep& step) {
  check_sizes(parameters.size(), velocity.size(), gradients.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    velocity[i] += gradients[i];
    parameters[i] -= step.rate * (1 + step.momentum) * gradients[i];
  }
}

double lars_ratio(double parameter_norm, double gradient_norm, double trust, double weight_decay,
                  double epsilon) {
  if (parameter_norm == 0 || gradient_norm == 0) return 1;
  return trust * parameter_norm / (gradient_norm + weight_decay * parameter_norm + epsilon);
}

}  // namespace lockstep::exec
