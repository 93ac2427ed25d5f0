// SPDX-License-Identifier: Apache-2.0
// From what all ranks hand over at the end to what a result says.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/job_options.h"
#include "exec/data/dataset.h"
#include "exec/launch/peer.h"
#include "exec/training/rank_record.h"
#include "models/results/result.h"

namespace lockstep::cli {

/// Iterations before the caches and buffers have settled; the summary leaves them out.
std::int32_t warm_up_iterations(std::int32_t iterations);

/// All but provenance, learning and images. The job's iterations came after `iterations_done`
/// others; `peers` and `records` are by rank.
results::Result result_of(const ResolvedJob& resolved, const std::vector<exec::Peer>& peers,
                          const std::vector<exec::RankRecord>& records,
                          std::int32_t iterations_done);

/// Files that some rank could not use: each once, by name.
std::vector<exec::Fault> faults_of(const std::vector<exec::RankRecord>& records);
results::ImageFigures image_figures(const std::vector<exec::RankRecord>& records,
                                    const std::vector<exec::Fault>& faults,
                                    const exec::Dataset& data);

}  // namespace lockstep::cli
