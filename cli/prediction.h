// SPDX-License-Identifier: Apache-2.0
// From a resolved job and machine files to a predicted result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/job_options.h"
#include "models/results/explanation.h"
#include "models/results/result.h"
#include "models/results/trace.h"
#include "models/training/batch_growth.h"

namespace lockstep::cli {

struct Prediction {
  results::Result result;
  std::vector<results::TraceSpan> spans;            // when asked for
  std::optional<results::Explanation> explanation;  // likewise, of the last of them
  /// What the prediction rests on that was not measured, for people.
  std::vector<std::string> cautions;
};

struct Wanted {
  bool spans = false;
  bool interval = false;  // takes three simulations more
  bool explanation = false;
  std::int32_t iterations_done = 0;  // of the training, before those of the job
};

/// Simulates a few iterations and summarises them. Provenance is left to the caller.
Prediction predict(const ResolvedJob& resolved, const Machines& machines,
                   const Wanted& wanted = {});

/// Of the job's iterations, which come after `done` others; none if the batch never grows.
std::vector<results::BatchFigures> batch_figures(const training::Job& job, std::int32_t done);

/// Version, this host's name, now.
results::Provenance provenance(std::uint64_t seed);

/// Writes spans as a Chrome trace of the job.
void write_trace(const std::string& path, const ResolvedJob& resolved,
                 const std::vector<results::TraceSpan>& spans,
                 const results::Explanation* explanation = nullptr);

/// --out, --trace, --baseline, the same for every subcommand that makes a result.
void add_result_options(options::options_description& description);
/// Throws ConfigError when a file that one of these flags names lies in no folder: better before
/// hours of work than after.
void check_outputs(const options::variables_map& values, const std::vector<std::string>& flags);
/// Sets the scaling efficiency if --baseline is given. Throws ConfigError when it does not fit.
void apply_baseline(const options::variables_map& values, results::Result& result);

/// To stderr: the first few, and how many more there are.
void print_cautions(const std::vector<std::string>& cautions);

/// The few lines that a result says on a terminal.
void print_summary(const results::Result& result);

}  // namespace lockstep::cli
