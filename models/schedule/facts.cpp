// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/facts.h"

#include <algorithm>
#include <map>

#include "models/base/errors.h"
#include "models/schedule/event_graph.h"
#include "models/schedule/unrolled.h"

namespace lockstep::schedule {

RankFacts rank_facts(const Schedule& schedule, Rank rank) {
  RankFacts facts;
  std::map<Rank, PairBytes> sent;
  std::vector<Step> slots;
  for (const Fragment& fragment : schedule.fragments) {
    const StepSource::Shape shape = fragment.steps->shape(rank);
    for (std::uint32_t round = 0; round < shape.rounds; ++round) {
      slots.assign(shape.steps_per_round, Step{});
      fragment.steps->emit(rank, round, slots);
      for (const Step& step : slots) {
        if (step.verb == Verb::Send) {
          const std::uint64_t bytes = schedule.bytes(step.from);
          PairBytes& pair = sent[step.target];
          pair.bytes += bytes;
          ++pair.messages;
          facts.bytes_sent += bytes;
        } else if (step.verb == Verb::Recv) {
          const std::uint64_t bytes = schedule.bytes(step.into);
          facts.bytes_received += bytes;
          if (step.combine != Operator::Replace) facts.bytes_combined += bytes;
        }
      }
    }
  }
  for (auto& [peer, pair] : sent) {
    pair.peer = peer;
    facts.sent.push_back(pair);
  }
  return facts;
}

std::uint32_t critical_rounds(const Schedule& schedule) {
  const Unrolled unrolled(schedule);
  const Messages messages(unrolled);
  const EventGraph graph(unrolled, messages, Waits::Necessary);
  const EventGraph::Order order = graph.order();
  LOCKSTEP_CHECK(order.cycle.empty(), "the schedule has a cycle; verify it first");
  std::vector<std::uint32_t> rounds(graph.size(), 0);  // messages before each event, one by one
  std::uint32_t most = 0;
  std::vector<Event> predecessors;
  for (const Event event : order.events) {
    predecessors.clear();
    graph.append_predecessors(event, predecessors);
    for (const Event predecessor : predecessors)
      rounds[event] = std::max(rounds[event], rounds[predecessor]);
    const StepId id = event / 2;
    if (id < unrolled.size() && event == completion_of(id) &&
        unrolled.step(id).verb == Verb::Recv && messages.mate[id] != kNoStep)
      rounds[event] = std::max(rounds[event], rounds[start_of(messages.mate[id])] + 1);
    most = std::max(most, rounds[event]);
  }
  return most;
}

}  // namespace lockstep::schedule
