// SPDX-License-Identifier: Apache-2.0
// One span of a trace: a step of a rank from its start to its completion, alike in both worlds.
#pragma once

#include <cstdint>

#include "models/base/ids.h"
#include "models/base/units.h"
#include "models/schedule/schedule.h"

namespace lockstep::results {

struct TraceSpan {
  Rank rank = 0;
  schedule::Lane lane = schedule::Lane::Compute;
  std::uint32_t fragment = 0;
  schedule::StepIndex step = 0;
  std::int32_t iteration = 0;
  Time start;  // on rank 0's clock
  Time end{};
  std::uint64_t bytes = 0;  // of a message or a Combine, else 0
  std::int32_t peer = -1;   // whom a message goes to or comes from, else −1
};

}  // namespace lockstep::results
