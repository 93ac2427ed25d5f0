// SPDX-License-Identifier: Apache-2.0
// What the simulation writes down about its ranks' iterations.
#pragma once

#include <cstdint>
#include <vector>

#include "models/results/recorder.h"
#include "models/schedule/progress.h"
#include "models/schedule/schedule.h"
#include "sim/runner/folding.h"
#include "sim/runner/simulation.h"

namespace lockstep::sim {

/// Ranks are named by any that stands for the same ones. The arguments must outlive the Record.
class Record {
 public:
  Record(const schedule::Schedule& schedule, const Options& options, const Folding& folding);

  /// The rank's step, under way since `start`, completes now. A Recv's message was sent at `sent`.
  void completed(Rank rank, const schedule::StartedStep& step, Time start, Time sent, Time now);
  void sent(Rank rank, std::uint64_t bytes) {
    if (is_measured(rank)) of(rank).bytes_sent += bytes;
  }
  /// The rank's iteration ends now; the next one begins. Returns whether there is one.
  bool end_iteration(Rank rank, Time now);

  /// 0, 1, …, warm-up included.
  std::int32_t iteration(Rank rank) const { return of(rank).iteration; }
  bool is_measured(Rank rank) const {
    // What has its own pace goes on behind the last one.
    return iteration(rank) >= options_.warm_up_iterations &&
           (!options_.goes_on ||
            iteration(rank) - options_.warm_up_iterations < options_.iterations);
  }
  /// What there is of all ranks, at the end.
  SimulatedRun take();

 private:
  struct Span {
    Time first = Time::max();
    Time last;
  };
  struct OfRank {
    results::IterationRecorder recorder;
    std::int32_t iteration = 0;
    Time start;
    std::vector<Span> buckets;                          // in this iteration
    std::vector<Time> bucket_times;                     // over all measured iterations
    std::vector<results::IterationFigures> iterations;  // measured
    std::uint64_t bytes_sent = 0;
  };

  OfRank& of(Rank rank) { return ranks_[static_cast<std::size_t>(folding_.place(rank))]; }
  const OfRank& of(Rank rank) const {
    return ranks_[static_cast<std::size_t>(folding_.place(rank))];
  }

  const Folding& folding_;
  const schedule::Schedule& schedule_;
  const Options& options_;
  std::vector<OfRank> ranks_;  // that are simulated
  SimulatedRun run_;
};

}  // namespace lockstep::sim
