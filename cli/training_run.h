// SPDX-License-Identifier: Apache-2.0
// One rank of a training job, from the rendezvous to the gathered result.
#pragma once

#include <optional>
#include <string>

#include "cli/job_options.h"
#include "exec/data/dataset.h"
#include "exec/launch/session.h"
#include "models/results/result.h"
#include "models/results/trace.h"

namespace lockstep::cli {

struct TrainingOptions {
  exec::RankOptions rank;
  std::string data;     // this rank's folder of images; "" = the job's
  bool strict = false;  // a file that cannot be used is an error
  std::int32_t replica_check = 50;
  std::int32_t test_every = 0;  // rank 0: test every so many iterations; 0 = only at the end
  bool bind = true;             // to this rank's share of its host's processors
  bool with_trace = false;
  std::string init;    // file that this rank's parameters come from; "" = the job's seed
  std::string resume;  // checkpoint that this rank goes on from
  std::int32_t iterations_done = 0;   // rank 0: those of the checkpoint
  std::string checkpoint;             // rank 0: where training stands, at the end and
  std::int32_t checkpoint_every = 0;  // … every so many iterations; 0 = only at the end
  std::string save_parameters;        // rank 0: what was learnt
  double predicted_seconds = 0;       // of an iteration, to be shown while training; 0 = none
};

/// What rank 0 holds at the end.
struct TrainingOutcome {
  ResolvedJob resolved;
  results::Result result;  // without machine and provenance
  std::vector<results::TraceSpan> spans;
  std::vector<exec::Fault> faults;  // files that some rank could not use, by name
};

/// The job and its images, which rank 0 opens to settle the job.
struct ResolvedTraining {
  ResolvedJob resolved;
  exec::Dataset data;
};

/// Runs this process's rank. `own` counts on rank 0; others get their job from there and open their
/// images themselves. Returns the outcome on rank 0, nothing elsewhere. Throws PeerError,
/// ConfigError.
std::optional<TrainingOutcome> train(const TrainingOptions& options,
                                     std::optional<ResolvedTraining> own);

}  // namespace lockstep::cli
