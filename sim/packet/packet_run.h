// SPDX-License-Identifier: Apache-2.0
// A schedule's messages packet by packet: what TCP and finite queues make of them.
#pragma once

#include <span>

#include "models/schedule/schedule.h"
#include "sim/packet/tcp_network.h"

namespace lockstep::sim {

struct PacketRun {
  Time end;  // of the last rank
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;
  std::uint64_t timeouts = 0;
};

/// Only the network takes time: hosts compute, combine and talk to themselves in none, and a Send
/// is complete once handed over. A connection for each (sender, receiver, stream), open from the
/// start. Routing::Split takes one path like Routing::Hash: packets are not sprayed. The same
/// arguments give the same result. Throws ConfigError when it would take more than `most_packets`.
PacketRun simulate_packets(const schedule::Schedule& schedule, const topology::Topology& topology,
                           std::span<const HostId> host_of_rank, const TcpOptions& options,
                           std::uint64_t seed = 0, std::uint64_t most_packets = 20'000'000);

}  // namespace lockstep::sim
