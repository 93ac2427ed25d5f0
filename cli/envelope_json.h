// SPDX-License-Identifier: Apache-2.0
// The resolved job as rank 0 sends it to the others, with all it names: they need no files but the
// images.
#pragma once

#include <string>

#include "models/network/network.h"
#include "models/topology/topology.h"
#include "models/training/job.h"

namespace lockstep::cli {

inline constexpr std::int32_t kNoCheckpoints = -1;

struct Envelope {
  training::Job job;
  network::Network network;
  topology::Topology topology;
  std::uint64_t images = 0;          // Dataset::fingerprint() of rank 0's
  bool strict = false;               // a file that cannot be used is an error
  std::int32_t replica_check = 0;    // compare the ranks' parameters every so many iterations
  std::int32_t test_every = 0;       // test every so many iterations; 0 = only at the end
  std::int32_t iterations_done = 0;  // before this run, which goes on from a checkpoint
  /// Rank 0 writes checkpoints every so many iterations (0 = at the end only), to which all ranks
  /// contribute.
  std::int32_t checkpoint_every = kNoCheckpoints;
  std::int32_t trace_first = 0;  // iterations whose spans are kept: first …
  std::int32_t trace_end = 0;    // … up to, not including, end
};

std::string to_json(const Envelope& envelope);
/// Throws ConfigError.
Envelope parse_envelope(const std::string& text);

}  // namespace lockstep::cli
