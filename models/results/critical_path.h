// SPDX-License-Identifier: Apache-2.0
// Why an iteration takes as long as it does: the chain of steps and waits that end one by the
// other, found from a trace.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/results/trace.h"

namespace lockstep::results {

/// A piece of the path: between `start` and `end` this was what everything later waited for.
struct PathSegment {
  enum class Kind : std::uint8_t {
    Compute,  // a step on the compute lane
    Message,  // from `rank` to `peer`: fixed costs, bytes under way, latency
    Handle,   // a combination, encoding or decoding on the communication lane
    Input,    // a step on the input lane
    Wait,     // no step: the next one waited for its turn on a lane or a processor
  };
  Kind kind = Kind::Wait;
  Rank rank = 0;
  Rank peer = -1;
  std::uint8_t stream = 0;     // of a Message
  std::uint32_t fragment = 0;  // of the step; of a Wait, the next one's
  schedule::StepIndex step = 0;
  Time start;
  Time end;

  Time duration() const { return end - start; }
};

/// From `end`, when a step of `rank` ends, back to `start`: each step by what let it begin, which
/// is the step of its rank that ended last before it, those that it waits for first; a message that
/// is waited for by its sender, a Send that is waited for by its receiver. Earliest first, without
/// gaps: the lengths add up to end − start exactly. What lies before the trace is a Wait.
std::vector<PathSegment> critical_path(const schedule::Schedule& schedule,
                                       std::span<const TraceSpan> spans, Rank rank, Time start,
                                       Time end);

}  // namespace lockstep::results
