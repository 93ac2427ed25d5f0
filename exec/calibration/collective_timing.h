// SPDX-License-Identifier: Apache-2.0
// Times an all-reduce over the ranks of a session, through the executor that training uses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/launch/session.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

struct CollectiveTiming {
  /// Of one all-reduce, on this rank: for each repetition the mean of those back to back.
  std::vector<double> seconds;
  /// Elements that this rank holds a wrong sum of, after one that is not timed.
  std::uint64_t errors = 0;
};

/// How many floats of memory a schedule's buffers take.
std::uint64_t floats_for(const schedule::Schedule& schedule);

/// All ranks call it, with so much `memory` of the session's. `schedule` adds up buffer 0. Each of the `repetitions` begins with a barrier
/// and runs the schedule `back_to_back` times.
CollectiveTiming time_all_reduce(Session& session, const schedule::Schedule& schedule,
                                 std::span<float> memory, std::int32_t repetitions,
                                 std::int32_t back_to_back);

}  // namespace lockstep::exec
