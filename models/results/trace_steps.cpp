// SPDX-License-Identifier: Apache-2.0
#include "models/results/trace_steps.h"

#include <algorithm>

namespace lockstep::results {

using schedule::Step;

const Step& TraceSteps::of(Rank rank, std::uint32_t fragment, schedule::StepIndex step) {
  const schedule::StepSource& source = *schedule_.fragments[fragment].steps;
  const std::uint32_t slots = source.shape(rank).steps_per_round;
  const std::tuple wanted{rank, fragment, step / slots};
  if (wanted != emitted_) {
    round_.assign(slots, Step{});
    source.emit(rank, step / slots, round_);
    emitted_ = wanted;
  }
  return round_[step % slots];
}

std::vector<MessageSpans> match_messages(const schedule::Schedule& schedule,
                                         std::span<const TraceSpan> spans) {
  struct End {
    std::tuple<std::int32_t, Rank, Rank, std::uint8_t> channel;  // iteration, from, to, stream
    std::size_t span;
  };
  std::vector<End> ends[2];
  TraceSteps steps(schedule);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const TraceSpan& span = spans[i];
    if (span.peer < 0) continue;
    const Step& step = steps.of(span);
    const bool sends = step.verb == schedule::Verb::Send;
    ends[sends ? 0 : 1].push_back({{span.iteration, sends ? span.rank : span.peer,
                                    sends ? span.peer : span.rank, step.stream},
                                   i});
  }
  for (std::vector<End>& list : ends)
    std::sort(list.begin(), list.end(), [&](const End& a, const End& b) {
      return std::tie(a.channel, spans[a.span].fragment, spans[a.span].step) <
             std::tie(b.channel, spans[b.span].fragment, spans[b.span].step);
    });
  std::vector<MessageSpans> messages;
  for (auto send = ends[0].begin(), receive = ends[1].begin();
       send != ends[0].end() && receive != ends[1].end();)
    if (send->channel < receive->channel)  // the other end is not in the trace
      ++send;
    else if (receive->channel < send->channel)
      ++receive;
    else
      messages.push_back({send++->span, receive++->span});
  return messages;
}

}  // namespace lockstep::results
