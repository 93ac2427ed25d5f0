// SPDX-License-Identifier: Apache-2.0
#include "cli/cross_check.h"

#include <algorithm>
#include <cstdio>

#include "sim/runner/simulation.h"

namespace lockstep::cli {

namespace {

constexpr double kSame = 0.05;  // differences below are none

/// "12 %": by how much `b` is more than `a`.
std::string more(double b, double a) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", 100 * (b / a - 1));
  return text;
}

}  // namespace

CrossCheck cross_check(const schedule::Schedule& schedule, const cost::CostModel& cost,
                       const topology::Topology& topology, std::span<const HostId> host_of_rank,
                       const sim::TcpOptions& tcp) {
  CrossCheck check;
  const auto seconds = [&](const topology::Topology& network, sim::Fidelity fidelity) {
    return sim::simulate(schedule, cost, network, host_of_rank,
                         {.fidelity = fidelity, .fold = true})
        .end_seconds();
  };
  check.packet = sim::simulate_packets(schedule, topology, host_of_rank, tcp);
  check.ideal_seconds = seconds(topology, sim::Fidelity::Ideal);
  check.flow_seconds = seconds(topology, sim::Fidelity::Flow);
  if (topology.routing == topology::Routing::Hash) {
    topology::Topology split = topology;
    split.routing = topology::Routing::Split;
    check.split_seconds = seconds(split, sim::Fidelity::Flow);
  }
  return check;
}

std::vector<std::string> advice(const CrossCheck& check) {
  std::vector<std::string> lines;
  const double flow = check.flow_seconds;
  const double packet = check.packet.end.seconds();
  if (flow <= 0) return {"nothing is sent: ideal will do"};
  const bool shares = flow > check.ideal_seconds * (1 + kSame);
  lines.push_back(shares ? "links are shared: ideal is not enough, flow takes " +
                               more(flow, check.ideal_seconds) + " longer"
                         : "no link is shared to speak of: ideal and flow say the same");
  if (check.split_seconds > 0 && flow > check.split_seconds * (1 + kSame))
    lines.push_back("flows that are hashed onto one path collide: evenly split they would take " +
                    format_seconds(check.split_seconds));
  if (packet <= flow * (1 + 2 * kSame)) {
    lines.push_back("packets change little: " + std::string(shares ? "flow" : "ideal") +
                    " is enough");
  } else if (check.packet.timeouts > 0) {
    lines.push_back("packets are lost, and " + std::to_string(check.packet.timeouts) +
                    " times TCP notices only by its timeout: packet is needed, it takes " +
                    more(packet, flow) +
                    " longer; fewer senders to one host at a time, larger "
                    "queues or shorter timeouts would help");
  } else if (check.packet.lost > 0) {
    lines.push_back("packets are lost and sent again, and TCP shares unevenly: packet takes " +
                    more(packet, flow) + " longer than flow");
  } else {
    lines.push_back(
        "messages are short for TCP, whose window opens by and by (slow start), and "
        "are stored whole packet by packet: packet takes " +
        more(packet, flow) + " longer than flow");
  }
  return lines;
}

void print(const CrossCheck& check) {
  const auto row = [&](const char* fidelity, double seconds) {
    std::printf("%-14s %12s", fidelity, format_seconds(seconds).c_str());
    if (check.flow_seconds > 0) std::printf(" %8.1f %%", 100 * seconds / check.flow_seconds);
  };
  std::printf("%-14s %12s %10s\n", "fidelity", "simulated", "of flow");
  row("ideal", check.ideal_seconds);
  std::printf("\n");
  row("flow", check.flow_seconds);
  std::printf("\n");
  if (check.split_seconds > 0) {
    row("flow, split", check.split_seconds);
    std::printf("\n");
  }
  row("packet", check.packet.end.seconds());
  std::printf("  %llu packets, %llu lost, %llu timeouts\n",
              static_cast<unsigned long long>(check.packet.packets),
              static_cast<unsigned long long>(check.packet.lost),
              static_cast<unsigned long long>(check.packet.timeouts));
  for (const std::string& line : advice(check))
    std::printf("- %s\n", line.c_str());
}

}  // namespace lockstep::cli
