// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/event_graph.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep::schedule {

namespace {

/// Of every step that holds its lane, the one that held it before in program order.
std::vector<StepId> lane_order(const Unrolled& unrolled) {
  std::vector<StepId> previous(unrolled.size(), kNoStep);
  for (Rank rank = 0; rank < unrolled.schedule().ranks; ++rank) {
    std::array<StepId, kLanes> last;
    last.fill(kNoStep);
    for (StepId id = unrolled.first_of(rank); id < unrolled.end_of(rank); ++id) {
      const Step& step = unrolled.step(id);
      if (step.verb == Verb::Send || step.verb == Verb::Recv || step.verb == Verb::Nothing)
        continue;
      previous[id] = std::exchange(last[static_cast<std::size_t>(step.lane)], id);
    }
  }
  return previous;
}

}  // namespace

EventGraph::EventGraph(const Unrolled& unrolled, const Messages& messages, Waits waits)
    : unrolled_(unrolled), messages_(messages), waits_(waits), size_(2 * unrolled.size()) {
  if (waits == Waits::Pessimistic) previous_on_lane_ = lane_order(unrolled);
  for (std::uint32_t s = 0; s < unrolled.sections().size(); ++s) {
    const Section& section = unrolled.sections()[s];
    joints_.push_back(size_);
    size_ += 2 + (section.is_gated() ? section.shape.rounds : 0);
    section_of_joint_.resize(size_ - 2 * unrolled.size(), s);
  }
}

void EventGraph::append_predecessors(Event event, std::vector<Event>& events) const {
  if (event >= 2 * unrolled_.size())
    append_waits_of_joint(event, events);
  else if (event % 2 == 0)
    append_waits_of_start(event / 2, events);
  else
    append_waits_of_completion(event / 2, events);
}

void EventGraph::append_waits_of_start(StepId id, std::vector<Event>& events) const {
  const std::uint32_t number = unrolled_.section_number(id);
  const Section& section = unrolled_.sections()[number];
  const std::uint32_t round = section.round_of(id);
  const std::uint32_t in_flight = section.shape.rounds_in_flight;
  events.push_back(round < in_flight ? opening(number) : rounds_up_to(number, round - in_flight));
  const Step& step = unrolled_.step(id);
  if (step.verb == Verb::Nothing) return;  // complete as soon as it is reached
  for (std::uint32_t d = 0; d < step.after_count; ++d)
    events.push_back(completion_of(section.first + step.after[d]));
  if (messages_.previous[id] != kNoStep) events.push_back(start_of(messages_.previous[id]));
  if (waits_ == Waits::Pessimistic && previous_on_lane_[id] != kNoStep)
    events.push_back(completion_of(previous_on_lane_[id]));
}

void EventGraph::append_waits_of_completion(StepId id, std::vector<Event>& events) const {
  events.push_back(start_of(id));
  if (messages_.previous[id] != kNoStep) events.push_back(completion_of(messages_.previous[id]));
  const bool for_mate = unrolled_.step(id).verb == Verb::Recv || waits_ == Waits::Pessimistic;
  if (for_mate && messages_.mate[id] != kNoStep) events.push_back(start_of(messages_.mate[id]));
}

void EventGraph::append_waits_of_joint(Event event, std::vector<Event>& events) const {
  const std::uint32_t number = section_of_joint_[event - 2 * unrolled_.size()];
  const Section& section = unrolled_.sections()[number];
  const auto append_completions = [&](StepId first, StepId end) {
    for (StepId id = first; id < end; ++id)
      events.push_back(completion_of(id));
  };
  if (event == opening(number)) {
    for (const After& after : unrolled_.schedule().fragments[section.fragment].after) {
      const std::uint32_t before = unrolled_.section_number(section.rank, after.fragment);
      events.push_back(after.step == After::kWhole
                           ? whole(before)
                           : completion_of(unrolled_.sections()[before].first + after.step));
    }
  } else if (event == whole(number)) {
    events.push_back(opening(number));
    if (section.is_gated())
      events.push_back(rounds_up_to(number, section.shape.rounds - 1));
    else
      append_completions(section.first, section.end);
  } else {
    const std::uint32_t round = event - rounds_up_to(number, 0);
    const StepId first = section.first + round * section.shape.steps_per_round;
    append_completions(first, first + section.shape.steps_per_round);
    events.push_back(round > 0 ? event - 1 : opening(number));
  }
}

/// Depth first along the predecessors, each event appended when all of its predecessors are. An
/// event that is met again while it waits for its predecessors waits for itself.
EventGraph::Order EventGraph::order() const {
  enum class State : std::uint8_t { Unseen, Waiting, Done };
  struct Frame {
    Event event;
    std::size_t first;  // its predecessors begin here in `predecessors`; the rest are of the frame
    std::size_t next;   // above
  };
  Order order;
  order.events.reserve(size_);
  std::vector<State> state(size_, State::Unseen);
  std::vector<Frame> frames;
  std::vector<Event> predecessors;
  const auto enter = [&](Event event) {
    state[event] = State::Waiting;
    frames.push_back({event, predecessors.size(), predecessors.size()});
    append_predecessors(event, predecessors);
  };
  for (Event root = 0; root < size_; ++root) {
    if (state[root] != State::Unseen) continue;
    enter(root);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.next == predecessors.size()) {
        state[frame.event] = State::Done;
        order.events.push_back(frame.event);
        predecessors.resize(frame.first);
        frames.pop_back();
        continue;
      }
      const Event predecessor = predecessors[frame.next++];
      if (state[predecessor] == State::Unseen) {
        enter(predecessor);
      } else if (state[predecessor] == State::Waiting) {
        order.cycle = shortest_cycle(predecessor);
        return order;
      }
    }
  }
  return order;
}

std::vector<StepId> EventGraph::shortest_cycle(Event through) const {
  constexpr Event kUnseen = UINT32_MAX;
  std::vector<Event> successor(size_, kUnseen);  // the one that was seen to wait for it first
  std::vector<Event> queue{through};
  std::vector<Event> predecessors;
  for (std::size_t at = 0; successor[through] == kUnseen; ++at) {
    predecessors.clear();
    append_predecessors(queue[at], predecessors);
    for (const Event predecessor : predecessors) {
      if (successor[predecessor] != kUnseen) continue;
      successor[predecessor] = queue[at];
      queue.push_back(predecessor);
    }
  }
  std::vector<StepId> steps;  // from each step to one that waits for it
  for (Event event = successor[through];; event = successor[event]) {
    if (event < 2 * unrolled_.size() && (steps.empty() || steps.back() != event / 2))
      steps.push_back(event / 2);
    if (event == through) break;
  }
  if (steps.size() > 1 && steps.front() == steps.back()) steps.pop_back();
  std::reverse(steps.begin(), steps.end());
  std::rotate(steps.begin(), std::min_element(steps.begin(), steps.end()), steps.end());
  return steps;
}

}  // namespace lockstep::schedule
