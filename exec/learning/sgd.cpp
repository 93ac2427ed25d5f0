// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/sgd.h"

#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

void sgd_momentum(std::span<float> parameters, std::span<float> velocity,
                  std::span<const float> gradients, float learning_rate, float momentum) {
  LOCKSTEP_CHECK(velocity.size() == parameters.size() && gradients.size() == parameters.size(),
                 std::to_string(parameters.size()) + " parameters, " +
                     std::to_string(velocity.size()) + " velocities, " +
                     std::to_string(gradients.size()) + " gradients");
  float* __restrict parameter = parameters.data();
  float* __restrict speed = velocity.data();
  const float* __restrict gradient = gradients.data();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    speed[i] = momentum * speed[i] + gradient[i];
    parameter[i] -= learning_rate * speed[i];
  }
}

}  // namespace lockstep::exec
