// SPDX-License-Identifier: Apache-2.0
// What lockstep plan finds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/training/time_to_accuracy.h"

namespace lockstep::cli {

/// One configuration.
struct PlanRow {
  std::int32_t ranks = 1;
  std::int32_t batch = 0;
  std::string algorithm;
  double iteration_seconds = 0;
  double iterations = 0;  // to the target
  double epochs = 0;
  double seconds = 0;
  double low_seconds = 0;  // with the noise scale's quartiles and the iteration's 90 % interval
  double high_seconds = 0;
  double goodput = 0;            // images per second, each worth one at the measured batch
  bool is_extrapolated = false;  // to another batch than the measured one
  std::vector<std::string> cautions{};
};

struct Plan {
  double target_accuracy = 0;
  std::int32_t measured_batch = 0;
  double measured_iterations = 0;
  training::NoiseSpread noise;
  std::vector<PlanRow> rows;  // fastest first
};

std::string to_json(const Plan& plan);

}  // namespace lockstep::cli
