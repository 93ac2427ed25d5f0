// SPDX-License-Identifier: Apache-2.0
// One rank's position in its program: which steps may start now. A pure state machine, driven by
// the simulator and by the executor alike; it has no clock and no socket.
#pragma once

#include <array>
#include <cstdint>
#include <tuple>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// A step that has been started and not yet completed. `step` stays valid until complete().
struct StartedStep {
  std::uint32_t fragment = 0;
  StepIndex index = 0;
  const Step* step = nullptr;
  std::int32_t iteration = 0;  // of its fragment

  explicit operator bool() const { return step != nullptr; }
};

/// Rules that both worlds get from here:
/// - A step is ready when the steps in its `after`, and its fragment's `after`, are complete.
/// - A lane starts its ready steps in program order. It is the caller who knows whether a lane is
///   free: one step at a time on Compute and Input and for Combine; any number of Send and Recv.
/// - A fragment that does not run in the iteration (Fragment::when) counts as complete.
/// - The rank's next iteration begins with restart(). Fragments of their own pace do not wait for
///   it, but go no further than run_until() says.
/// - Within a fragment, Sends to one (peer, stream) start in program order, and so do the Recvs
///   from one. Across fragments their dependencies must see to it, which verify() proves.
/// The schedule must outlive the Progress. Neither copied nor moved: StartedStep points into it.
class Progress {
 public:
  /// At the start of iteration `iteration`, up to the end of it.
  Progress(const Schedule& schedule, Rank rank, std::int32_t iteration = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Fragments of their own pace may go through all iterations before `end`.
  void run_until(std::int32_t end);
  /// Back to the start, for the next iteration. Only when done().
  void restart();
  /// Starts the next ready step of `lane`; empty when none is ready.
  StartedStep next(Lane lane) {
    return ready_[static_cast<int>(lane)].empty() ? StartedStep{} : start_next(lane);
  }
  /// Marks a started step as complete; others may become ready, on any lane.
  void complete(const StartedStep& started);
  /// Whether the iteration is over: every step is complete but those of fragments of their own
  /// pace.
  bool done() const { return fragments_left_ == 0; }
  /// Whether, besides, those are where they may go no further.
  bool finished() const { return done() && paced_left_ == 0; }
  Rank rank() const { return rank_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kMaximumDependencies = std::tuple_size_v<decltype(Step::after)>;

  /// A step in the window of its fragment. Successor lists are threaded through the nodes: link
  /// (position × kMaximumDependencies + d) is the d-th dependency of the node at that position, so
  /// that nothing is allocated per step.
  struct Node {
    std::uint32_t waiting_for = 0;            // dependencies not yet met
    std::uint32_t ring = 0;                   // place of its round in `incomplete`
    std::uint32_t first_successor = kNone;    // link: who waits for this step's completion
    std::uint32_t channel_successor = kNone;  // position: who waits for this step's start
    std::array<std::uint32_t, kMaximumDependencies> next_successor{};
    bool started = false;
    bool complete = false;
  };
  /// The last step emitted on a channel of this rank.
  struct Channel {
    std::int32_t peer;
    std::uint8_t stream;
    Verb verb;
    StepIndex last;
  };
  /// The rounds in flight of one fragment, in rings: steps and nodes by position, rounds by ring
  /// place. Where the oldest stands is kept, so that nothing needs a division.
  struct Window {
    StepSource::Shape shape;
    std::int32_t iteration = 0;         // under way; of one with its own pace, or the next one
    std::int32_t complete_before = 0;   // iterations before this one are complete
    std::uint32_t waiting_for = 0;      // entries of Fragment::after not yet met
    std::uint32_t oldest_round = 0;     // rounds before it are complete
    std::uint32_t next_round = 0;       // rounds before it are emitted
    std::uint32_t oldest_ring = 0;      // of oldest_round
    StepIndex oldest_index = 0;         // first of oldest_round
    std::uint32_t oldest_position = 0;  // of oldest_index
    bool is_open = false;
    bool has_step_watch = false;
    std::vector<Step> steps;
    std::vector<Node> nodes;
    std::vector<std::uint32_t> incomplete;  // steps of each round in flight
    std::vector<Channel> channels;
    std::size_t channel = 0;  // the one found last

    /// Where step `index` of a round in flight stands, and the other way round.
    std::uint32_t position(StepIndex index) const {
      return wrapped(oldest_position + (index - oldest_index), nodes.size());
    }
    StepIndex index(std::uint32_t position) const {
      const std::size_t after = position < oldest_position ? nodes.size() : 0;
      return oldest_index + (position - oldest_position) + static_cast<std::uint32_t>(after);
    }
    std::uint32_t ring_of(std::uint32_t round) const {
      return wrapped(oldest_ring + (round - oldest_round), incomplete.size());
    }

   private:
    static std::uint32_t wrapped(std::uint32_t place, std::size_t size) {
      return place < size ? place : place - static_cast<std::uint32_t>(size);
    }
  };
  /// Fragment `watcher` waits for a step, or the whole, of `fragment`.
  struct Watch {
    std::uint32_t fragment;
    StepIndex step;
    std::int32_t iterations_back;
    std::uint32_t watcher;
  };

  bool own_pace(std::uint32_t fragment) const { return schedule_.fragments[fragment].own_pace; }
  bool runs(std::uint32_t fragment) const {
    return schedule_.fragments[fragment].when.includes(iteration_);
  }
  bool is_met(std::uint32_t fragment, const After& after) const;
  std::uint32_t unmet(std::uint32_t fragment) const;
  void start();
  StartedStep start_next(Lane lane);
  void finish(std::uint32_t fragment);
  void open(std::uint32_t fragment);
  void advance(std::uint32_t fragment);
  void emit_round(std::uint32_t fragment);
  void link(std::uint32_t fragment, StepIndex index, std::uint32_t position);
  std::uint32_t wait_for_channel(Window& window, StepIndex index, std::uint32_t position);
  void met(std::uint32_t fragment, std::uint32_t position);
  void make_ready(std::uint32_t fragment, StepIndex index, Lane lane);
  void notify(std::uint32_t fragment, StepIndex step, std::int32_t iteration);

  const Schedule& schedule_;
  Rank rank_;
  std::int32_t iteration_;
  std::int32_t first_iteration_;
  std::int32_t end_;                  // of fragments of their own pace
  std::uint32_t fragments_left_ = 0;  // in this iteration
  std::uint32_t paced_left_ = 0;      // of those of their own pace, before the end
  std::vector<Window> windows_;
  std::vector<Watch> watches_;
  /// Per lane, the ready steps as fragment × 2³² + step: program order. Heaps, least first.
  std::vector<std::uint64_t> ready_[kLanes];
};

}  // namespace lockstep::schedule
