// SPDX-License-Identifier: Apache-2.0
// Choosing an algorithm: closed forms shortlist, simulation decides.
#pragma once

#include <string>
#include <vector>

#include "cli/collective_prediction.h"
#include "models/collectives/candidates.h"

namespace lockstep::cli {

struct Candidate {
  collectives::Choice choice;
  double seconds = 0;  // predicted
  std::string dominated_by;
};

/// What is worth simulating for an operation, by the closed forms and by what simulating takes when
/// the operation is done `times` times. With `segment_bytes` ≥ 0 the size of segments is given.
/// `named`: only these algorithms, and each of them in the way the closed forms prefer, whatever
/// they call it against others.
std::vector<collectives::Choice> shortlist(const collectives::Operation& operation,
                                           std::int64_t segment_bytes, const Cluster& cluster,
                                           double times = 1,
                                           const std::vector<collectives::Algorithm>& named = {});

/// The fastest first; of equal ones that which came first.
void sort_by_merit(std::vector<Candidate>& candidates);

/// The candidates for an operation in `parts` side by side, the fastest first. With `segment_bytes`
/// ≥ 0 the size of segments is given. Throws ConfigError as predict_collective() does.
std::vector<Candidate> rank_candidates(const collectives::Operation& operation,
                                       std::int64_t segment_bytes, const Cluster& cluster,
                                       std::int32_t parts);

/// All of them as a table for people, on stdout.
void explain(const std::vector<Candidate>& candidates);

}  // namespace lockstep::cli
