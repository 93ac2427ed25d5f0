// SPDX-License-Identifier: Apache-2.0
// What the world does to a job while it runs: ranks that are slow for once or for good, traffic of
// others on the links, other jobs, a failure. An input of predictions only (README.md has the
// file's format).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/topology.h"
#include "models/training/job.h"

namespace lockstep::conditions {

/// All ranks, or all links.
inline constexpr std::int32_t kAll = -1;

/// Computing takes `factor` times as long: in every iteration, or in some, drawn for each rank and
/// iteration by itself.
struct Straggler {
  Rank rank = kAll;
  double factor = 1;
  double probability = 1;

  friend bool operator==(const Straggler&, const Straggler&) = default;
};

/// Others take a share of a link's rate, 0 ≤ share < 1: always, or by turns, for times that are
/// drawn from exponential distributions with these means.
struct Traffic {
  LinkId link = kAll;
  double share = 0;
  double on_seconds = 0;
  double off_seconds = 0;  // 0 = always on

  friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// What the job does about a failure: wait until it is over; end; go on without the lost rank; go
/// on over other links than the lost one.
enum class Reaction : std::uint8_t { Wait, Abort, Shrink, Reroute };

/// A rank starts nothing more (what it has begun goes on), or a link carries nothing more.
struct Failure {
  Rank rank = kAll;  // one of the two
  LinkId link = kAll;
  double at_seconds = 0;         // since the job began
  double lasts_seconds = 0;      // Wait: then all is as before
  double detection_seconds = 0;  // Abort, Shrink: until the others know; Reroute: until routes do
  double restart_seconds = 0;    // Shrink: until they begin the lost iteration again
  Reaction reaction = Reaction::Wait;

  friend bool operator==(const Failure&, const Failure&) = default;
};

/// A job on the same topology, on hosts of its own, that goes on for as long as all others do.
struct OtherJob {
  training::Job job;
  double start_seconds = 0;  // of its first iteration, after the others' that have 0

  friend bool operator==(const OtherJob& a, const OtherJob& b);
};

struct Conditions {
  /// Standard deviation ÷ mean of a rank's computing time in an iteration, instead of what was
  /// measured (the machine file's).
  std::optional<double> compute_jitter;
  std::vector<Straggler> stragglers;
  std::vector<Traffic> traffic;
  std::vector<std::int32_t> batches;  // each rank's images of a batch; empty = even shares
  std::optional<Failure> failure;
  std::vector<OtherJob> jobs;

  bool is_empty() const { return *this == Conditions{}; }
  /// Whether one iteration differs from another by chance.
  bool is_random() const;
  friend bool operator==(const Conditions&, const Conditions&) = default;
};

/// A file with the names of links in the topology; the text of a result file will do too: its
/// "conditions" are taken. Throws ConfigError, also for what a job of so many ranks and images a
/// batch has not.
Conditions parse_conditions(const std::string& text, const std::string& where,
                            const topology::Topology& topology, std::int32_t ranks,
                            std::int32_t batch);
/// parse_conditions(to_json(c, t), …) is c.
std::string to_json(const Conditions& conditions, const topology::Topology& topology);

/// The same for the ranks that are left when `lost` is gone: higher ones have moved down by one.
Conditions without_rank(const Conditions& conditions, Rank lost);

/// "wait", "abort", "shrink", "reroute".
std::string name_of(Reaction reaction);
/// For people, a line each: "rank 3 computes 2 times as long".
std::vector<std::string> describe(const Conditions& conditions, const topology::Topology& topology);

}  // namespace lockstep::conditions
