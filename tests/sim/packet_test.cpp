// SPDX-License-Identifier: Apache-2.0
// Packets take what store and forward says; TCP what its RFCs say; and what is known of incast and
// of colliding flows comes out.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/topology/routes.h"
#include "sim/packet/packet_run.h"
#include "tests/sim/scenario.h"
#include "tests/support/operations.h"

namespace lockstep::sim {
namespace {

topology::Topology generated(const std::string& rule, const std::string& routing = "first") {
  return topology::parse_topology(
      R"({"name": "t", "routing": ")" + routing + R"(", "generate": {)" + rule + "}}", "t");
}

/// 1 Gbit/s of payload and 25 us a cable, as in the incast papers.
topology::Topology gigabit_star(int hosts) {
  return generated(R"("star": {"hosts": )" + std::to_string(hosts) +
                   R"(, "bandwidth": "1 Gbit/s", "latency": "25 us"})");
}

std::vector<HostId> one_each(std::int32_t ranks) {
  std::vector<HostId> hosts;
  for (Rank rank = 0; rank < ranks; ++rank)
    hosts.push_back(rank);
  return hosts;
}

PacketRun packets(const Schedule& schedule, const topology::Topology& topology,
                  const TcpOptions& options = {}) {
  return simulate_packets(schedule, topology, one_each(schedule.ranks), options);
}

/// Rank 0 asks all others for a block each, `blocks` times; it asks again when it has all.
Schedule synchronized_reads(std::int32_t servers, std::uint64_t bytes, std::uint32_t blocks) {
  std::vector<std::vector<Step>> lists(static_cast<std::size_t>(servers) + 1);
  for (std::uint32_t block = 0; block < blocks; ++block)
    for (Rank server = 1; server <= servers; ++server) {
      auto& own = lists[static_cast<std::size_t>(server)];
      const auto first = static_cast<schedule::StepIndex>(own.size());
      own.push_back(first > 0 ? after(receive(0, 1), {first - 1}) : receive(0, 1));
      own.push_back(after(send(0, bytes / 4), {first}));
    }
  // The client: its requests of a block wait for the last block, step by step.
  std::vector<Step>& client = lists[0];
  for (std::uint32_t block = 0; block < blocks; ++block) {
    const auto before = static_cast<schedule::StepIndex>(client.size());
    for (Rank server = 1; server <= servers; ++server) {
      Step ask = send(server, 1);
      if (before > 0) ask = after(ask, {before - 1});
      client.push_back(ask);
    }
    for (Rank server = 1; server <= servers; ++server) {
      // In a chain: a block is there when its last part is.
      const auto index = static_cast<schedule::StepIndex>(client.size());
      client.push_back(after(receive(server, bytes / 4), {index - 1}));
    }
  }
  return listed(std::move(lists));
}

/// Share of the client's cable that is used, for 256 KiB from each server forty times.
double goodput(std::int32_t servers, double minimum_timeout_seconds, std::uint64_t queue_bytes) {
  constexpr std::uint64_t kBytes = 256 << 10;
  constexpr std::uint32_t kBlocks = 40;
  TcpOptions options;
  options.minimum_timeout_seconds = minimum_timeout_seconds;
  options.queue_bytes = queue_bytes;
  const PacketRun run =
      packets(synchronized_reads(servers, kBytes, kBlocks), gigabit_star(servers + 1), options);
  return static_cast<double>(kBytes * kBlocks) * servers / run.end.seconds() / 125e6;
}

}  // namespace

TEST_CASE("packet: one packet is stored and forwarded at every hop", "[packet]") {
  // 1,000 B at 125 MB/s are 8 us, on each of two cables of 25 us; through a line of 4, three.
  CHECK(packets(listed({{send(1, 250)}, {receive(0, 250)}}), gigabit_star(2)).end ==
        Time{2 * (8 + 25) * kMicrosecond});
  const topology::Topology line =
      generated(R"("line": {"hosts": 4, "bandwidth": "1 Gbit/s", "latency": "25 us"})");
  CHECK(packets(listed({{send(3, 250)}, {}, {}, {receive(0, 250)}}), line).end ==
        Time{3 * (8 + 25) * kMicrosecond});
}

TEST_CASE("packet: slow start doubles the window every round trip", "[packet]") {
  // Packets of 1,448 B take 11.584 us on a cable, and a round trip 2 ms and two of them. Of 70
  // packets 10 and 20 make the first two windows; the other 40 leave one after the other in the
  // third round trip, as their acknowledgements come in pairs at the rate of the cable.
  topology::Topology network = gigabit_star(2);
  for (topology::Link& link : network.links)
    link.latency = Time{500 * kMicrosecond};
  const std::uint64_t floats = 70 * 1448 / 4;
  const double packet = 1448 / 125e6;
  const double round_trip = 2e-3 + 2 * packet;
  CHECK(packets(listed({{send(1, floats)}, {receive(0, floats)}}), network).end.seconds() ==
        Approx(2 * round_trip + 40 * packet + packet + 1e-3).epsilon(1e-6));
}

TEST_CASE("packet: a long flow fills its link, two share it", "[packet]") {
  // 50 MB at 125 MB/s.
  const std::uint64_t floats = 12'500'000;
  const PacketRun alone =
      packets(listed({{send(1, floats)}, {receive(0, floats)}}), gigabit_star(2));
  CHECK(alone.end.seconds() == Approx(0.4).epsilon(0.02));
  const PacketRun two = packets(
      listed({{send(2, floats)}, {send(2, floats)}, {receive(0, floats), receive(1, floats)}}),
      gigabit_star(3));
  // Slow start ends in losses, and once in a timeout.
  CHECK((two.end.seconds() > 0.8 && two.end.seconds() < 1.1));
  CHECK(two.lost > 0);
  CHECK(two.packets > two.lost);
}

TEST_CASE("packet: incast collapses, and not with a short timeout", "[packet]") {
  // Phanishayee et al. (FAST 2008): 256 KB blocks, 1 Gbit/s, 64 KB a port, timeouts of 200 ms, for
  // which the link is idle: with some ten servers goodput falls by an order of magnitude, and
  // larger queues put that off. Vasudevan et al. (SIGCOMM 2009): with timeouts of a millisecond and
  // less it stays high with more than 40.
  CHECK(goodput(1, 0.2, 64 << 10) > 0.9);
  for (const std::int32_t servers : {24, 40})
    CHECK(goodput(servers, 0.2, 64 << 10) < 0.1);
  CHECK(goodput(16, 0.2, 1 << 20) > 0.8);
  for (const double timeout : {1e-3, 200e-6})
    for (const std::int32_t servers : {8, 24, 40})
      CHECK(goodput(servers, timeout, 64 << 10) > 0.75);
}

TEST_CASE("packet: flows that collide on a link of the core halve each other", "[packet]") {
  // Two leaves, two spines, all cables alike: two flows from leaf to leaf meet or they don't (Al-
  // Fares et al., NSDI 2010).
  const topology::Topology fabric = generated(
      R"("leaf-spine": {"leaves": 2, "spines": 2, "hosts_per_leaf": 2, "bandwidth": "1 Gbit/s",
          "latency": "5 us"})",
      "hash");
  const std::uint64_t floats = 5'000'000;  // 160 ms alone
  int met = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Schedule schedule =
        listed({{send(2, floats)}, {send(3, floats)}, {receive(0, floats)}, {receive(1, floats)}});
    const double seconds = simulate_packets(schedule, fabric, one_each(4), {}, seed).end.seconds();
    topology::Routes routes(fabric, seed);
    const LinkId first =
        routes.between({.from = 0, .to = 2, .sender = 0, .receiver = 2}).hops[1].link;
    const LinkId second =
        routes.between({.from = 1, .to = 3, .sender = 1, .receiver = 3}).hops[1].link;
    CAPTURE(seed, seconds);
    met += first == second;
    // Where they meet they lose packets besides.
    if (first == second)
      CHECK((seconds > 0.32 && seconds < 0.4));
    else
      CHECK(seconds == Approx(0.16).epsilon(0.03));
  }
  CHECK((met > 1 && met < 11));
}

TEST_CASE("packet: every algorithm ends, and not before the ideal network", "[packet]") {
  const topology::Topology network = gigabit_star(9);
  cost::Machine machine = free_machine();
  machine.message.window_bytes = std::uint64_t{1} << 40;  // Sends are complete at once
  Random random(7);
  for (std::int32_t ranks = 1; ranks <= 9; ++ranks)
    for (const support::Case& one : support::cases_for(ranks, random.below(40'000), 0)) {
      INFO(one.name());
      const Schedule schedule = make_schedule(one.algorithm, one.operation);
      const PacketRun run = packets(schedule, network);
      const SimulatedRun ideal =
          sim::run(schedule, cost_model(machine, ranks), network, Fidelity::Ideal);
      CHECK(run.end.picoseconds >= last_end(ideal) - 2 * ranks);
      CHECK(packets(schedule, network).end == run.end);
    }
}

TEST_CASE("packet: what is too large is refused", "[packet]") {
  CHECK_THROWS_AS(simulate_packets(listed({{send(1, 1'000'000)}, {receive(0, 1'000'000)}}),
                                   gigabit_star(2), one_each(2), {}, 0, 1000),
                  ConfigError);
}

}  // namespace lockstep::sim
