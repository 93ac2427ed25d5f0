// SPDX-License-Identifier: Apache-2.0
// The algorithms by name, what they can do, and the one switch that makes and prices them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/base/units.h"
#include "models/schedule/collective.h"
#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"

namespace lockstep::collectives {

using schedule::Collective;

enum class Algorithm : std::uint8_t {
  Ring,
  RecursiveDoubling,
  HalvingDoubling,
  BinomialTree,
  DoubleTree,
  Hierarchical,
  Torus,
  Bcube,
  ParameterServer,
};

/// "ring", "recursive-doubling": as the command line and the job file spell it.
std::string name_of(Algorithm algorithm);
/// Throws ConfigError, with a suggestion; `where` is the flag or place.
Algorithm parse_algorithm(const std::string& name, const std::string& where);
Collective parse_collective(const std::string& name, const std::string& where);
const std::vector<Algorithm>& all_algorithms();
const std::vector<Collective>& all_collectives();

/// Whether the algorithm can do that: every one does the all-reduce, some the others too.
bool is_legal(Algorithm algorithm, Collective collective);
/// Throws ConfigError, which names the algorithms that can, if this one cannot.
void check_legal(Algorithm algorithm, Collective collective, const std::string& where);

/// One collective operation, and all that an algorithm needs to know of it.
struct Operation {
  Collective collective = Collective::AllReduce;
  std::int32_t ranks = 1;
  /// What the collective is about, on every rank.
  schedule::Slice data;
  /// Room for what arrives and may not be combined in place: scratch_elements() of them.
  schedule::Slice scratch;
  /// The first of the streams_of() that it uses.
  std::uint8_t stream = 0;
  /// A message carries at most this many elements; 0 = no bound.
  std::uint64_t segment_elements = 0;

  /// Hierarchical: the group of each rank, numbered from 0 without gaps; empty = one group.
  std::vector<std::int32_t> groups;
  /// Parameter server: ranks 0 … servers−1 serve; 0 = all of them.
  std::int32_t servers = 0;
  /// Broadcast: who has the data.
  Rank root = 0;
};

/// Elements of scratch that an operation on `count` elements needs.
std::uint64_t scratch_elements(Algorithm algorithm, std::uint64_t count);

/// Consecutive streams that one operation uses.
std::uint8_t streams_of(Algorithm algorithm);

/// Part `part` of `parts` of data that are reduced side by side, each on streams of its own: as
/// even as it goes.
schedule::Slice part_of(const schedule::Slice& data, std::size_t part, std::size_t parts);

/// The steps of the operation, for all ranks. The algorithm must be legal for it.
std::shared_ptr<const schedule::StepSource> make_steps(Algorithm algorithm,
                                                       const Operation& operation);

/// A schedule of the operation and nothing else, on data.count elements of a buffer "data"; where
/// data and scratch are is decided here. An all-reduce can be done in several `parts` side by side.
schedule::Schedule make_schedule(Algorithm algorithm, Operation operation, std::int32_t parts = 1);
/// The same for an all-reduce of `count` elements.
schedule::Schedule all_reduce_schedule(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                                       std::uint64_t segment_elements);

/// What verify() has to prove of a schedule of the operation alone.
schedule::Contract contract_of(const Operation& operation);

/// What the closed forms are about: nothing is contended, a message leaves when its data are there
/// and has arrived after latency + bytes / rate, and combining is part of receiving.
struct IdealNetwork {
  Time latency;                 // per message: links and software
  double bytes_per_second = 0;  // of every pair of ranks

  Time message(std::uint64_t elements) const {
    return latency + transfer_time(4 * elements, bytes_per_second);
  }
};
/// Time of the operation on an ideal network when no message is cut into segments.
Time closed_form(Algorithm algorithm, const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
