// SPDX-License-Identifier: Apache-2.0
// One case at every fidelity: where they part, and which one it needs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/cost/cost_model.h"
#include "models/topology/topology.h"
#include "sim/packet/packet_run.h"

namespace lockstep::cli {

struct CrossCheck {
  double ideal_seconds = 0;
  double flow_seconds = 0;
  double split_seconds = 0;  // flow, if hashed flows were split evenly instead; 0 where none are
  sim::PacketRun packet;
};

CrossCheck cross_check(const schedule::Schedule& schedule, const cost::CostModel& cost,
                       const topology::Topology& topology, std::span<const HostId> host_of_rank,
                       const sim::TcpOptions& tcp);

/// For people, a line each: what the differences come from and what to do about them.
std::vector<std::string> advice(const CrossCheck& check);

void print(const CrossCheck& check);

}  // namespace lockstep::cli
