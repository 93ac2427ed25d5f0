// SPDX-License-Identifier: Apache-2.0
// What the jobs of one simulation have in common: time, links, and processors that hosts share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/topology.h"
#include "sim/engine/event_queue.h"
#include "sim/network/bursts.h"
#include "sim/network/fluid.h"
#include "sim/packet/linux_network.h"

namespace lockstep::sim {

/// The topology must outlive it.
class SharedNetwork {
 public:
  /// For events of kind 0 … event_kinds−1, of all jobs together. With `has_packets` those of TCP
  /// have kinds behind them.
  SharedNetwork(const topology::Topology& topology, std::uint8_t event_kinds, bool has_packets)
      : queue(static_cast<std::uint8_t>(event_kinds + LinuxNetwork::kKinds)),
        bursts(topology, fluid, [this](LinkId link) { return link_resource(link); }),
        topology_(topology),
        link_resources_(topology.links.size(), kNone) {
    if (has_packets) tcp.emplace(topology, queue, event_kinds);
    if (topology.processors > 0) processors_ = fluid.add_resource(topology.processors);
  }

  EventQueue queue;
  Fluid fluid{queue};
  Bursts bursts;
  std::optional<LinuxNetwork> tcp;  // under Fidelity::Packet
  /// Of each of its connections: the job's number and channel.
  struct End {
    std::uint8_t job = 0;
    std::uint32_t channel = 0;
  };
  std::vector<End> ends;

  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// Of the processors that all hosts share, in the Fluid; kNone when each has its own.
  std::uint32_t processors() const { return processors_; }
  /// The link's, in the Fluid; there is none before it is first asked for.
  std::uint32_t link_resource(LinkId link) {
    const auto index = static_cast<std::size_t>(link);
    if (link_resources_[index] == kNone)
      link_resources_[index] =
          fluid.add_resource(topology_.links[index].payload_bytes_per_second());
    return link_resources_[index];
  }

 private:
  const topology::Topology& topology_;
  std::vector<std::uint32_t> link_resources_;
  std::uint32_t processors_ = kNone;
};

}  // namespace lockstep::sim
