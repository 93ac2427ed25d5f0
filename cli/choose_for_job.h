// SPDX-License-Identifier: Apache-2.0
// Settles what a training job leaves open (--algorithm auto, --compression auto), before either
// world starts.
#pragma once

#include "cli/choose.h"
#include "cli/job_options.h"
#include "models/results/result.h"

namespace lockstep::cli {

/// The iteration of a job that leaves no algorithm open, with each candidate instead of its own, or
/// with each of the `named` ones, that can have its codecs; the fastest predicted first.
std::vector<Candidate> rank_for_job(const ResolvedJob& resolved, const Machines& machines,
                                    const std::vector<collectives::Algorithm>& named = {});

/// The job with a choice made.
training::Job with(training::Job job, const collectives::Choice& choice);

/// What lasts most of a predicted iteration: "computing (83 %)".
std::string dominant(const results::Result& result);

/// resolve(), with the algorithm that makes the predicted iteration shortest where the job leaves
/// it open, and its size of segments unless that was given. Closed forms for the largest bucket
/// shortlist, simulated iterations decide. Then, where that is open, the codecs (choose_codecs.h).
/// With `explains` prints all candidates, whether or not the job leaves them open. Throws
/// ConfigError, too when there is a choice but no machine file.
ResolvedJob resolve_choosing(const training::Job& job, const Machines& machines, bool explains);

/// Throws ConfigError when there is a choice to make, or to explain, but nothing to choose by.
void check_can_choose(const training::Job& job, const Machines& machines, bool explains);

/// --explain.
void add_explain_option(options::options_description& description);

}  // namespace lockstep::cli
