// SPDX-License-Identifier: Apache-2.0
#include "models/cost/turns.h"

#include <algorithm>
#include <cmath>

namespace lockstep::cost {

namespace {

bool is_quota(double cores) {
  return cores != std::floor(cores);
}

double pause(double cores, double threads) {
  return std::max(0.0, 1 - cores / threads);
}

}  // namespace

double compute_jitter(const Machine& machine, double cores, double threads, double seconds) {
  if (cores >= threads || seconds <= 0) return machine.iteration_jitter;
  const double dispersion = is_quota(cores)
                                ? machine.quota_dispersion * std::pow(pause(cores, threads), 2)
                                : machine.turn_dispersion;
  return std::hypot(machine.iteration_jitter, std::sqrt(dispersion / seconds));
}

double quota_slowdown(const Machine& machine, double cores, double threads) {
  return is_quota(cores) ? 1 + machine.quota_slowdown * pause(cores, threads) : 1;
}

}  // namespace lockstep::cost
