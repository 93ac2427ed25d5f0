// SPDX-License-Identifier: Apache-2.0
// From the spans of a trace back to the steps of the schedule.
#pragma once

#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "models/results/trace.h"

namespace lockstep::results {

/// The steps behind spans. Neighbours are often of one round, which is emitted once. The schedule
/// must outlive it.
class TraceSteps {
 public:
  explicit TraceSteps(const schedule::Schedule& schedule) : schedule_(schedule) {}

  /// Valid until the next call.
  const schedule::Step& of(Rank rank, std::uint32_t fragment, schedule::StepIndex step);
  const schedule::Step& of(const TraceSpan& span) {
    return of(span.rank, span.fragment, span.step);
  }

 private:
  const schedule::Schedule& schedule_;
  std::vector<schedule::Step> round_;
  std::tuple<Rank, std::uint32_t, std::uint32_t> emitted_{-1, 0, 0};
};

/// The two ends of a message in a trace, by their places in `spans`.
struct MessageSpans {
  std::size_t send = 0;
  std::size_t receive = 0;
};

/// What is sent and received in one iteration, both in `spans`: those of one sender, receiver and
/// stream match first to first, in program order.
std::vector<MessageSpans> match_messages(const schedule::Schedule& schedule,
                                         std::span<const TraceSpan> spans);

}  // namespace lockstep::results
