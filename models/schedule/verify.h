// SPDX-License-Identifier: Apache-2.0
// Symbolic proof of a schedule: whatever the times, it ends, and every sum is right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/schedule/collective.h"
#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// Workers send gradients to servers, which apply them as they come and hand out parameters.
struct Service {
  static constexpr std::int32_t kUnbounded = INT32_MAX;
  std::uint32_t gradients = 0;   // buffer: what a worker contributes
  std::uint32_t parameters = 0;  // buffer: what it computes with
  /// S: in iteration i + 1 a worker computes with what all workers' gradients of iterations up to
  /// i − S are applied to, and its own of iteration i, but none of iterations after i + S.
  std::int32_t staleness = kUnbounded;
  std::int32_t iterations = 2;  // that the proof spans: S + 2 show all there is to S
};

/// What a schedule is to achieve on buffer `buffer`.
struct Contract {
  std::uint32_t buffer = 0;
  /// Where the buffer's own contributions come from: at the start it holds them (a collective
  /// alone), or Compute steps write them (a training iteration: backward).
  bool holds_contributions_at_start = true;
  /// At the end `slice` holds what `collective` promises, a sum being every rank's contribution
  /// exactly once. In a training iteration it holds the sums when a Compute step reads them, too.
  Slice slice;
  Collective collective = Collective::AllReduce;
  Rank root = 0;  // of a Broadcast
  /// Instead of a collective: `buffer` is served, and at the end every gradient of every iteration
  /// is applied exactly once to each element of `slice`, by one rank.
  std::optional<Service> service{};
};

struct Violation {
  Rank rank = -1;  // −1: of no rank in particular
  std::int32_t fragment = -1;
  StepIndex step = 0;
  std::string message;  // names the step and says what is wrong
};

/// Proves, for all ranks at once (memory grows with ranks × steps):
/// - sends and receives of each (sender, receiver, stream) pair up, first to first, equal in bytes;
/// - there is no cycle among dependencies, lanes, channel order and messages, even if every Send
///   waited for its Recv: so it cannot deadlock;
/// - no two steps of a rank that touch one element, one of them writing, are unordered by that
///   rank's own dependencies, nor are fragments that share a channel: so it cannot race; steps on
///   a buffer that commutes need not be, but all of them are where one step runs at a time;
/// - nothing is sent or combined that was never written, and only the same elements are added;
/// - what a rank encodes is its own contribution, what is decoded contains every rank's code once,
///   in its place;
/// - the contract holds.
/// Returns every violation found, up to 100; empty = proven.
std::vector<Violation> verify(const Schedule& schedule, const Contract& contract);

}  // namespace lockstep::schedule
