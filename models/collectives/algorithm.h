// SPDX-License-Identifier: Apache-2.0
// The all-reduce algorithms by name, and the one switch that makes and prices them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/base/units.h"
#include "models/schedule/schedule.h"

namespace lockstep::collectives {

enum class Algorithm : std::uint8_t { Ring, RecursiveDoubling };

/// "ring", "recursive-doubling": as the command line and the job file spell it.
std::string name_of(Algorithm algorithm);
/// Throws ConfigError, with a suggestion; `where` is the flag or place.
Algorithm parse_algorithm(const std::string& name, const std::string& where);
const std::vector<Algorithm>& all_algorithms();

/// One all-reduce: afterwards `data` holds on every rank the sum over all ranks of what it held.
struct AllReduce {
  std::int32_t ranks = 1;
  schedule::Slice data;
  /// Room for what arrives and may not be combined in place: scratch_elements() of them.
  schedule::Slice scratch;
  std::uint8_t stream = 0;
  /// A message carries at most this many elements; 0 = a whole chunk.
  std::uint64_t segment_elements = 0;
};

/// Elements of scratch that one all-reduce of `count` elements needs.
std::uint64_t scratch_elements(Algorithm algorithm, std::uint64_t count);

/// The steps of one all-reduce, for all ranks.
std::shared_ptr<const schedule::StepSource> make_all_reduce(Algorithm algorithm,
                                                            const AllReduce& all_reduce);

/// A schedule of one all-reduce of `count` floats and nothing else.
schedule::Schedule all_reduce_schedule(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                                       std::uint64_t segment_elements);

/// Closed form of the time on an ideal network (every message latency + bytes / rate, nothing
/// contended, combining fused with receiving, one segment per chunk).
struct IdealNetwork {
  Time latency;                 // per message: links and software
  double bytes_per_second = 0;  // of every pair of ranks
};
Time closed_form(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                 const IdealNetwork& network);

}  // namespace lockstep::collectives
