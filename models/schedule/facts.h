// SPDX-License-Identifier: Apache-2.0
// What can be said of a schedule without any time: rounds, messages and bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

struct PairBytes {
  Rank peer = 0;
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
};

struct RankFacts {
  std::vector<PairBytes> sent;  // by peer, ascending
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_combined = 0;  // arriving bytes that are added rather than stored
};

/// Reads one rank's program; memory grows with its peers only.
RankFacts rank_facts(const Schedule& schedule, Rank rank);

/// Length of the longest chain of messages that depend on one another, over all ranks: the number
/// of latencies that cannot be hidden. Reads all programs at once; for schedules that verify()
/// proves.
std::uint32_t critical_rounds(const Schedule& schedule);

}  // namespace lockstep::schedule
