// SPDX-License-Identifier: Apache-2.0
#include "models/cost/turns.h"

#include <algorithm>
#include <cmath>

namespace lockstep::cost {

double compute_jitter(const Machine& machine, double cores, double threads, double seconds) {
  if (cores >= threads || seconds <= 0) return machine.iteration_jitter;
  return std::hypot(machine.iteration_jitter, std::sqrt(machine.turn_dispersion / seconds));
}

double quota_slowdown(const Machine& machine, double cores, double threads) {
  return 1 + machine.quota_slowdown * std::max(0.0, 1 - cores / threads);
}

}  // namespace lockstep::cost
