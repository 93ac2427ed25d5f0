// SPDX-License-Identifier: Apache-2.0
#include "models/training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "models/training/job_json.h"

namespace lockstep::training {

namespace {

double scale_of(const RateSchedule& schedule, std::int32_t batch) {
  const double k = static_cast<double>(batch) / schedule.base_batch;
  switch (schedule.scaling) {
    case RateScaling::None:
      return 1;
    case RateScaling::Linear:
      return k;
    case RateScaling::SquareRoot:
      return std::sqrt(k);
  }
  return 1;
}

/// Of the peak, when a share `x` of the iterations after the warm-up is done.
double share_of_peak(const RateSchedule& schedule, double x, std::int32_t iteration) {
  const double fall = 1 - schedule.end;
  switch (schedule.policy) {
    case RatePolicy::Constant:
      return 1;
    case RatePolicy::Step: {
      const auto drops = std::count_if(schedule.drops.begin(), schedule.drops.end(),
                                       [&](std::int32_t drop) { return drop <= iteration; });
      return std::pow(schedule.drop_factor, static_cast<double>(drops));
    }
    case RatePolicy::Cosine:
      return schedule.end + fall * (1 + std::cos(std::numbers::pi * x)) / 2;
    case RatePolicy::Polynomial:
      return schedule.end + fall * std::pow(1 - x, schedule.power);
    case RatePolicy::Exponential:
      return std::pow(schedule.end, x);
  }
  return 1;
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string policy_of(const RateSchedule& schedule) {
  const std::string name = name_of(schedule.policy);
  switch (schedule.policy) {
    case RatePolicy::Constant:
      return name;
    case RatePolicy::Step:
      return "· " + short_number(schedule.drop_factor) + " at each of " +
             std::to_string(schedule.drops.size()) + " iterations";
    case RatePolicy::Cosine:
    case RatePolicy::Exponential:
      return name + " to " + short_number(schedule.end) + " of it";
    case RatePolicy::Polynomial:
      return name + " of power " + short_number(schedule.power) + " to " +
             short_number(schedule.end) + " of it";
  }
  return name;
}

}  // namespace

double peak_rate(const RateSchedule& schedule, double base, std::int32_t batch) {
  return base * scale_of(schedule, batch);
}

double rate_at(const RateSchedule& schedule, double base, std::int32_t batch,
               std::int32_t iteration, std::int32_t iterations) {
  const double peak = peak_rate(schedule, base, batch);
  if (iteration < schedule.warm_up) {
    const double start = peak > base ? base : 0;
    return start + (peak - start) * (iteration + 1) / schedule.warm_up;
  }
  const std::int32_t behind = std::max(1, iterations - schedule.warm_up);
  const double x = std::min(1.0, static_cast<double>(iteration - schedule.warm_up) / behind);
  return peak * share_of_peak(schedule, x, iteration);
}

std::string describe(const RateSchedule& schedule, double base, std::int32_t batch) {
  std::string text = "rate " + short_number(peak_rate(schedule, base, batch));
  if (schedule.scaling != RateScaling::None)
    text += " (" + short_number(base) + " · " + short_number(scale_of(schedule, batch)) + ", " +
            name_of(schedule.scaling) + " from batch " + std::to_string(schedule.base_batch) + ")";
  if (schedule.warm_up > 0)
    text += ", warm-up " + std::to_string(schedule.warm_up) + " iterations, then " +
            policy_of(schedule);
  else
    text += ", " + policy_of(schedule);
  return text;
}

}  // namespace lockstep::training
