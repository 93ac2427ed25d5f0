// SPDX-License-Identifier: Apache-2.0
// What lockstep plan finds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/training/time_to_accuracy.h"

namespace lockstep::cli {

/// One configuration.
struct PlanRow {
  training::LearningSetting setting;  // on one rank nothing is encoded
  std::string algorithm;              // "none" on one rank
  std::uint64_t segment_bytes = 0;    // that it was predicted with
  double iteration_seconds = 0;
  std::string most_of_it;  // "computing (83 %)"
  double iterations = 0;   // to the target
  double epochs = 0;
  double seconds = 0;
  /// With the noise scale's quartiles and the iteration's 90 % interval; none for rows far behind.
  std::optional<std::pair<double, double>> interval_seconds{};
  double goodput = 0;  // images per second, each worth one at the measured batch
  /// What was not measured: "batch", "codec", "ranks" of the learning run, or "iteration", where
  /// there are cautions.
  std::vector<std::string> extrapolated{};
  std::vector<std::string> cautions{};
};

struct Plan {
  double target_accuracy = 0;
  std::vector<training::LearningRun> measured;
  training::NoiseSpread noise;
  std::vector<PlanRow> rows;  // fastest first
  std::int32_t slow = 0;      // that were left out: algorithms that are far from the best
};

std::string to_json(const Plan& plan);

}  // namespace lockstep::cli
