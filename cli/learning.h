// SPDX-License-Identifier: Apache-2.0
// What a training run says about learning, from all ranks' records.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/training/rank_record.h"
#include "models/results/result.h"
#include "models/training/job.h"

namespace lockstep::cli {

/// `test_every`: every so many iterations the ranks tested, 0 = only at the end; `iterations_done`
/// before this run.
results::Learning learning_of(const std::vector<exec::RankRecord>& records,
                              const training::Job& job, std::int32_t test_every,
                              std::int32_t iterations_done);

}  // namespace lockstep::cli
