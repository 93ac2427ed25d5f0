// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/adam.h"

#include <cmath>

#include "exec/learning/lanes.h"

namespace lockstep::exec {

namespace {

/// Square root and quotient are rounded alike on every processor (IEEE 754).
float direction(float parameter, float first, float second, const AdamStep& step) {
  return first * step.first_correction /
             (std::sqrt(second * step.second_correction) + step.epsilon) +
         step.weight_decay * parameter;
}

}  // namespace

void AdamStep::correct(std::int32_t iteration, double exact_beta1, double exact_beta2) {
  first_correction = static_cast<float>(1 / (1 - std::pow(exact_beta1, iteration + 1)));
  second_correction = static_cast<float>(1 / (1 - std::pow(exact_beta2, iteration + 1)));
}

void move_moments(std::span<float> first, std::span<float> second, std::span<const float> gradients,
                  const AdamStep& step) {
  const float rest1 = 1 - step.beta1, rest2 = 1 - step.beta2;
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = step.beta1 * first[i] + rest1 * gradients[i];
    second[i] = step.beta2 * second[i] + rest2 * (gradients[i] * gradients[i]);
  }
}

double squared_direction(std::span<const float> parameters, std::span<const float> first,
                         std::span<const float> second, const AdamStep& step) {
  return sum_in_lanes(parameters.size(), [&](std::size_t i) {
    const float r = direction(parameters[i], first[i], second[i], step);
    return r * r;
  });
}

void follow(std::span<float> parameters, std::span<const float> first,
            std::span<const float> second, const AdamStep& step, float ratio) {
  const float rate = step.rate * ratio;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    parameters[i] -= rate * direction(parameters[i], first[i], second[i], step);
}

double lamb_ratio(double parameter_norm, double direction_norm) {
  return parameter_norm == 0 || direction_norm == 0 ? 1 : parameter_norm / direction_norm;
}

}  // namespace lockstep::exec
