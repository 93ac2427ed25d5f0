// SPDX-License-Identifier: Apache-2.0
// Runs a schedule on plain arrays: what the executor must compute, whatever the order of things.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "models/base/random.h"
#include "models/schedule/progress.h"
#include "models/schedule/schedule.h"

namespace lockstep::support {

/// When a Send is complete: once its elements are copied, or only once its Recv has them.
enum class Sends : std::uint8_t { Eager, Rendezvous };

/// All ranks in one thread, their steps started, carried out and completed in an order that is
/// random but legal: whatever Progress lets through. The schedule must outlive it.
class InMemoryRun {
 public:
  /// `iteration`: of the step's fragment.
  using Compute = std::function<void(Rank, const schedule::Step&, std::int32_t iteration)>;

  /// All buffers begin as zeros.
  explicit InMemoryRun(const schedule::Schedule& schedule, std::uint64_t seed,
                       Sends sends = Sends::Eager);

  std::vector<float>& buffer(Rank rank, std::uint32_t buffer);
  /// What Compute steps do; nothing if it is not given.
  void on_compute(Compute compute) { compute_ = std::move(compute); }
  /// So many iterations. Throws std::runtime_error when no rank can go on. May be called again.
  void run(std::int32_t iterations = 1);
  std::uint64_t bytes_sent(Rank rank) const;

 private:
  /// A step on its way: first its effect, then its completion, each at a moment of its own.
  struct Outstanding {
    schedule::StartedStep started;
    bool has_happened = false;
    std::uint64_t message = 0;  // of a Send, its number on its channel
  };
  struct Channel {
    std::deque<std::vector<float>> messages;
    std::uint64_t sent = 0;
    std::uint64_t taken = 0;
  };
  struct RankState {
    RankState(const schedule::Schedule& schedule, Rank rank) : progress(schedule, rank) {}
    schedule::Progress progress;
    std::vector<std::vector<float>> buffers;
    std::vector<Outstanding> outstanding;  // in the order of their starts
    std::uint64_t bytes_sent = 0;
    std::int32_t iterations_left = 0;  // to be begun
    bool fresh = true;                 // none has been begun
  };

  Channel& channel(Rank sender, Rank receiver, std::uint8_t stream) {
    return channels_[{sender, receiver, stream}];
  }
  void begin_iteration(RankState& state);
  bool act(Rank rank);
  bool start(Rank rank, schedule::Lane lane);
  bool advance(Rank rank, std::size_t which);
  bool happen(Rank rank, Outstanding& outstanding);
  bool may_complete(Rank rank, const Outstanding& outstanding);
  bool is_first_on_channel(Rank rank, std::size_t which) const;
  void combine(Rank rank, const schedule::Step& step, const float* from);
  float* elements(Rank rank, const schedule::Slice& slice);

  const schedule::Schedule& schedule_;
  Random random_;
  Sends sends_;
  Compute compute_;
  std::int32_t iterations_ = 0;  // so far, and those under way
  std::deque<RankState> ranks_;
  std::map<std::tuple<Rank, Rank, std::uint8_t>, Channel> channels_;
  std::vector<float> copy_;
};

}  // namespace lockstep::support
