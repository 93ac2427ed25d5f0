// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/sgd.h"

#include <Eigen/Core>
#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

void sgd_momentum(std::span<float> parameters, std::span<float> velocity,
                  std::span<const float> gradients, float learning_rate, float momentum) {
  LOCKSTEP_CHECK(velocity.size() == parameters.size() && gradients.size() == parameters.size(),
                 std::to_string(parameters.size()) + " parameters, " +
                     std::to_string(velocity.size()) + " velocities, " +
                     std::to_string(gradients.size()) + " gradients");
  const auto size = static_cast<Eigen::Index>(parameters.size());
  Eigen::Map<Eigen::ArrayXf> parameter(parameters.data(), size);
  Eigen::Map<Eigen::ArrayXf> speed(velocity.data(), size);
  const Eigen::Map<const Eigen::ArrayXf> gradient(gradients.data(), size);
  speed = momentum * speed + gradient;
  parameter -= learning_rate * speed;
}

}  // namespace lockstep::exec
