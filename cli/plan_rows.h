// SPDX-License-Identifier: Apache-2.0
// The rows of a plan: measured learning × predicted iterations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/job_options.h"
#include "cli/plan_json.h"
#include "models/collectives/algorithm.h"
#include "models/compression/codec.h"

namespace lockstep::cli {

/// What is planned over.
struct PlanAxes {
  std::vector<std::int32_t> ranks;
  std::vector<std::int32_t> batches;
  std::vector<collectives::Algorithm> algorithms;  // empty = all that may be as fast as the best
  bool only_best_algorithm = false;                // of those, for each ranks, batch and codec
  std::vector<compression::Codec> codecs;
};

/// What measured runs of one network say.
struct MeasuredLearning {
  std::vector<training::LearningRun> runs;
  training::NoiseSpread noise;  // of the first run that has an estimate
  std::int32_t images = 0;      // to train on
};

/// Results of lockstep train --test-every, one of them with --noise-scale on, of that network.
/// Throws ConfigError, too when one never reached the target.
MeasuredLearning read_learning(const std::vector<std::string>& paths, const std::string& network,
                               double target);

/// All rows, fastest first; the first `with_interval` have an interval. `base` says all else of the
/// job. Throws ConfigError when nothing can be run.
Plan make_plan(const training::Job& base, const PlanAxes& axes, const MeasuredLearning& learning,
               const Machines& machines, std::size_t with_interval);

}  // namespace lockstep::cli
