// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/running_mean.h"

#include <Eigen/Core>
#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

void move_running_mean(std::span<float> running, std::span<const float> batch, float weight) {
  LOCKSTEP_CHECK(running.size() == batch.size(),
                 std::to_string(running.size()) + " and " + std::to_string(batch.size()));
  const auto size = static_cast<Eigen::Index>(running.size());
  Eigen::Map<Eigen::ArrayXf> mean(running.data(), size);
  mean += weight * (Eigen::Map<const Eigen::ArrayXf>(batch.data(), size) - mean);
}

void add_to_running_mean(std::span<float> running, std::span<const float> part, float weight) {
  LOCKSTEP_CHECK(running.size() == part.size(),
                 std::to_string(running.size()) + " and " + std::to_string(part.size()));
  for (std::size_t i = 0; i < running.size(); ++i)
    running[i] += weight * part[i];
}

}  // namespace lockstep::exec
