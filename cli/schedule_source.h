// SPDX-License-Identifier: Apache-2.0
// The schedule that a command line names: an algorithm's, a file's, or a training job's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "models/collectives/algorithm.h"
#include "models/msccl/program.h"
#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"
#include "models/training/iteration.h"

namespace lockstep::cli {

/// --algorithm, --ranks, --count and what else an algorithm or a file needs.
void add_schedule_options(options::options_description& description);

struct NamedSchedule {
  schedule::Schedule schedule;
  schedule::Contract contract;                     // what it is to achieve
  std::vector<training::Iteration::Claim> claims;  // of a job, instead: all there is to prove
  // Where it comes from: an algorithm on an operation, or an MSCCL file; neither = our JSON form.
  std::optional<collectives::Algorithm> algorithm;
  collectives::Operation operation;
  std::optional<msccl::Program> program;
};

/// Whether a file's name says that it is MSCCL XML, or our JSON form. Throws ConfigError if
/// neither.
bool is_xml(const std::string& path);

/// `file` is the file named without a flag, if there is one. With `any_count` --count may be
/// missing beside --algorithm. Throws ConfigError when flags are missing, wrong, or do not go
/// together.
NamedSchedule read_schedule(const options::variables_map& values,
                            const std::optional<std::string>& file, bool any_count = false);

}  // namespace lockstep::cli
