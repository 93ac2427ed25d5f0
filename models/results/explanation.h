// SPDX-License-Identifier: Apache-2.0
// Where the time of one predicted iteration goes: its critical path, what that is made of, what the
// links did meanwhile, and how far it is from what it takes at least.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/results/critical_path.h"
#include "models/results/recorder.h"
#include "models/topology/topology.h"

namespace lockstep::results {

/// What is explained, and with what.
struct Explained {
  const schedule::Schedule& schedule;
  std::span<const TraceSpan> spans;
  std::span<const std::vector<IterationFigures>> iterations;  // [rank][iteration]
  const topology::Topology& topology;
  std::span<const HostId> host_of_rank;
  std::span<const std::string> work_names;
  std::uint64_t seed = 0;            // of routes
  std::uint64_t gradient_bytes = 0;  // that are reduced; 0 = they are coded, no bound is known
};

struct Explanation {
  /// A part of the critical path: "computing", "messages over host0->switch", "waiting for a lane".
  struct Part {
    std::string what;
    double seconds = 0;
    std::int64_t count = 0;  // of segments
  };
  struct LinkUse {
    std::string name;
    std::vector<double> utilisation;  // share of its rate, in equal parts of the iteration
  };
  Rank rank = 0;  // that ends the iteration last
  double seconds = 0;
  double exposed_communication_seconds = 0;  // the rank's: compute lane idle, messages outstanding
  double wait_seconds = 0;                   // of which nothing moves
  std::vector<PathSegment> path;
  std::vector<std::string> names;  // of each segment: "forward conv1", "all-reduce 0"
  std::vector<Part> parts;         // of the path, the longest first; they add up to `seconds`
  std::vector<LinkUse> links;      // that were used
  /// What it takes at least: the longest computing of a rank; and with any all-reduce, that every
  /// host that is not alone sends the gradients once and all p of them together 2 (p − 1) times
  /// (Patarasuk and Yuan 2009), at the rate of their links.
  double least_compute_seconds = 0;
  double least_network_seconds = 0;
};

/// The iteration of that number, of the rank that ends it last. Bytes are spread evenly over the
/// time of their message. Messages are named by the slowest link of their route.
Explanation explain(const Explained& explained, std::int32_t iteration);

/// For a terminal, ends with a newline.
std::string to_text(const Explanation& explanation);
/// {"rank", "seconds", "parts", "critical_path", "links", "bounds", …} (README.md).
std::string to_json(const Explanation& explanation);

}  // namespace lockstep::results
