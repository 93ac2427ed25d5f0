// SPDX-License-Identifier: Apache-2.0
// The asynchronous parameter server as fragments of the iteration: every rank is worker and server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/schedule/schedule.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::training {

/// What of a bucket a rank serves. No rank's shard is larger than rank 0's.
schedule::Slice shard_of(const Bucket& bucket, std::uint32_t buffer, Rank rank, std::int32_t ranks);

/// Each rank serves a shard of every bucket. A worker sends every server its gradients of the
/// shard as soon as they are there (push); the server applies each worker's as they come (apply),
/// and hands the worker the new parameters (hand out), which take the place of its own before its
/// next iteration (pull). What a rank does for others has its own pace. With a bound S,
/// - what is handed out in iteration i waits until all gradients of iteration i − S are applied;
/// - gradients of iteration i + S + 1 wait until all of iteration i is handed out. Hardly anybody
///   is that far ahead; but so nobody sees them too early, and S = 0 is synchronous training.
class Serving {
 public:
  /// Rows of the work table.
  struct Rows {
    std::int32_t apply = 0;
    std::int32_t hand_out = 0;
  };

  /// For a job with staleness. The arguments must outlive it.
  Serving(const Job& job, const std::vector<Bucket>& buckets, schedule::Schedule& schedule);

  /// Appends the fragments of bucket `index`, one bucket after the other. `ready`: its gradients
  /// are complete, and its parameters are needed no more.
  void add(std::size_t index, const schedule::After& ready, const Rows& rows);
  /// Elements of the scratch buffer: where each worker's gradients arrive and its parameters leave.
  std::uint64_t scratch() const { return scratch_; }

 private:
  /// The fragments of a bucket in their order; those for others begin with that for the next rank.
  struct Numbers {
    std::uint32_t push, own_apply, apply, applied, hand_out, take, pull, handed_out, end;
  };
  Numbers numbers_of(std::size_t index) const;
  schedule::After handed_out(std::uint32_t fragment) const;
  void wait_for_place(std::size_t index, std::uint32_t fragment,
                      std::vector<schedule::After>& after) const;
  void add_for(std::size_t index, std::uint32_t distance, const Rows& rows);
  void add(const std::string& name, std::size_t index,
           std::shared_ptr<const schedule::StepSource> steps, std::vector<schedule::After> after,
           bool own_pace = false);
  std::uint8_t stream_of(std::size_t index, bool hands_out) const;
  bool is_bounded() const { return *job_.staleness != kUnboundedStaleness; }

  const Job& job_;
  const std::vector<Bucket>& buckets_;
  schedule::Schedule& schedule_;
  std::uint32_t first_;    // fragment
  std::uint32_t peers_;    // of each rank
  std::size_t in_flight_;  // buckets on streams of their own
  std::uint64_t scratch_ = 0;
};

/// What all ranks serve, as a schedule by itself: every rank gets all of it.
schedule::Schedule gather_served(const Job& job, const std::vector<Bucket>& buckets);

/// What is to be proven of it, and of the iteration's schedule.
std::vector<schedule::Contract> contracts_of_gathering(const std::vector<Bucket>& buckets);
schedule::Contract contract_of_serving(const Job& job, std::uint64_t parameters);

}  // namespace lockstep::training
