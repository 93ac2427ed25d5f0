// SPDX-License-Identifier: Apache-2.0
// What must happen before what: the starts and completions of all steps as one graph.
#pragma once

#include <cstdint>
#include <vector>

#include "models/schedule/unrolled.h"

namespace lockstep::schedule {

/// The start (even) or completion (odd) of a step, or, from 2 × steps upwards, one of the joints
/// that keep the edges few: the beginning or end of a section, the end of all rounds up to one.
using Event = std::uint32_t;

constexpr Event start_of(StepId id) {
  return 2 * id;
}
constexpr Event completion_of(StepId id) {
  return 2 * id + 1;
}

enum class Waits : std::uint8_t {
  /// Dependencies, fragments, rounds in flight, channels, and Recvs for the start of their Send.
  Necessary,
  /// Besides, every Send for the start of its Recv; and one after the other, in program order, what
  /// holds a lane: all but Sends and Recvs. No real run waits for more than this.
  Pessimistic,
};

/// Both arguments must outlive it. The steps must be valid (see verify.cpp).
class EventGraph {
 public:
  EventGraph(const Unrolled& unrolled, const Messages& messages, Waits waits);

  std::uint32_t size() const { return size_; }
  /// Appends the events that `event` waits for.
  void append_predecessors(Event event, std::vector<Event>& events) const;

  struct Order {
    std::vector<Event> events;  // each after its predecessors; incomplete if there is a cycle
    std::vector<StepId>
        cycle;  // steps each of which waits for the next, and the last for the first
  };
  Order order() const;

 private:
  void append_waits_of_start(StepId id, std::vector<Event>& events) const;
  void append_waits_of_completion(StepId id, std::vector<Event>& events) const;
  void append_waits_of_joint(Event event, std::vector<Event>& events) const;
  std::vector<StepId> shortest_cycle(Event through) const;
  Event opening(std::uint32_t section) const { return joints_[section]; }
  Event whole(std::uint32_t section) const { return joints_[section] + 1; }
  Event rounds_up_to(std::uint32_t section, std::uint32_t round) const {
    return joints_[section] + 2 + round;
  }

  const Unrolled& unrolled_;
  const Messages& messages_;
  Waits waits_;
  std::vector<StepId> previous_on_lane_;
  std::vector<Event> joints_;                    // by section: its first joint
  std::vector<std::uint32_t> section_of_joint_;  // by event − 2 × steps
  std::uint32_t size_ = 0;
};

}  // namespace lockstep::schedule
