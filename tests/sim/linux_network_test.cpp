// SPDX-License-Identifier: Apache-2.0
// Jobs packet by packet: queues, buckets, losses, and acknowledgements that wait.
#include <catch2/catch.hpp>

#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

/// 1 Gbit/s of payload and 25 us a cable.
topology::Topology gigabit_star(int hosts) {
  return topology::parse_topology(R"({"name": "t", "generate": {"star": {"hosts": )" +
                                      std::to_string(hosts) +
                                      R"(, "bandwidth": "1 Gbit/s", "latency": "25 us"}}})",
                                  "t");
}

/// Sends are complete at once.
cost::Machine eager_machine() {
  cost::Machine machine = free_machine();
  machine.message.window_bytes = std::uint64_t{1} << 40;
  return machine;
}

SimulatedRun packets(const Schedule& schedule, const topology::Topology& network,
                     const cost::Machine& machine = eager_machine()) {
  return run(schedule, cost_model(machine, schedule.ranks), network,
             Options{.fidelity = Fidelity::Packet});
}

}  // namespace

TEST_CASE("linux network: what a link's bucket holds leaves at once", "[packet]") {
  // 144.8 MB/s, 10 us a packet, a bucket of 20 packets on the way to the switch and none behind it:
  // ten packets, the first window, wait only for the second cable; without the bucket for one more.
  const auto end = [](const std::string& bucket) {
    const topology::Topology network = topology::parse_topology(
        R"({"name": "t", "hosts": ["a", "b"], "switches": ["s"],
            "link_defaults": {"bandwidth": "144.8 MB/s", "latency": "0 us"},
            "links": [{"from": "a", "to": "s")" +
            bucket + R"(}, {"from": "s", "to": "b"}]})",
        "t");
    return packets(listed({{send(1, 3'620)}, {receive(0, 3'620)}}), network).end_seconds();
  };
  CHECK(end(R"(, "burst": "28960 B")") == Approx(100e-6));
  CHECK(end("") == Approx(110e-6));
}

TEST_CASE("linux network: what finds no room is lost, noticed and sent again", "[packet]") {
  // Two senders into a queue of ten packets. A timeout would take 200 ms.
  topology::Topology network = gigabit_star(3);
  const Schedule schedule =
      listed({{send(2, 500'000)}, {send(2, 500'000)}, {receive(0, 500'000), receive(1, 500'000)}});
  for (topology::Link& link : network.links)
    link.queue_bytes = 10 * 1448;
  const SimulatedRun small = packets(schedule, network);
  CHECK(small.lost_packets > 0);
  CHECK(small.packets > 2 * 2'000'000 / 1448 + small.lost_packets);
  CHECK(small.end_seconds() < 0.15);
  for (topology::Link& link : network.links)
    link.queue_bytes = 4 << 20;
  CHECK(packets(schedule, network).lost_packets == 0);
}

TEST_CASE("linux network: acknowledgements wait behind the data of others", "[packet]") {
  // Zhang, Shenker and Clark (SIGCOMM 1991). Hosts 0 and 1 fill the cable to host 2, which sends to
  // host 3: nothing is in the way of its data, but what acknowledges them waits in the queue to
  // host 2, and its window is too small for that round trip. Its 2 MB are 16 ms of its cable.
  topology::Topology network = gigabit_star(4);
  for (topology::Link& link : network.links)
    link.queue_bytes = 4 << 20;
  const auto milliseconds = [&](bool with_others, Fidelity fidelity) {
    std::vector<std::vector<Step>> lists{{}, {}, {send(3, 500'000)}, {receive(2, 500'000)}};
    for (const Rank other : {0, 1}) {
      if (!with_others) continue;
      lists[static_cast<std::size_t>(other)].push_back(send(2, 2'000'000));
      lists[2].push_back(receive(other, 2'000'000));
    }
    const cost::Machine machine = eager_machine();
    const SimulatedRun result = run(listed(std::move(lists)), cost_model(machine, 4), network,
                                    Options{.fidelity = fidelity});
    return result.iterations[3].front().end.seconds() * 1e3;
  };
  CHECK(milliseconds(false, Fidelity::Flow) == Approx(16).epsilon(0.01));
  CHECK(milliseconds(true, Fidelity::Flow) == Approx(16).epsilon(0.01));
  CHECK(milliseconds(false, Fidelity::Packet) < 18);
  CHECK(milliseconds(true, Fidelity::Packet) > 24);
}

TEST_CASE("linux network: a message of nothing takes its way, behind those before it", "[packet]") {
  // Two cables of 25 us; 125,000 B before it are 1 ms of either, and one packet more of the second.
  const auto end = [](std::vector<Step> sends, std::vector<Step> receives) {
    return packets(listed({std::move(sends), std::move(receives)}), gigabit_star(2)).end_seconds();
  };
  CHECK(end({send(1, 0)}, {receive(0, 0)}) == Approx(50e-6));
  const double first = end({send(1, 31'250)}, {receive(0, 31'250)});
  CHECK(first > 1.05e-3);
  CHECK(end({send(1, 31'250), send(1, 0)}, {receive(0, 31'250), receive(0, 0)}) >= first);
}

TEST_CASE("linux network: jobs on an idle network take what flows take", "[packet]") {
  // In a ring each cable has one sender's bytes: nothing is in the way.
  const topology::Topology network = gigabit_star(5);
  const cost::Machine machine = eager_machine();
  std::vector<std::vector<Step>> lists;
  for (Rank rank = 0; rank < 5; ++rank)
    lists.push_back({send((rank + 1) % 5, 5'000'000), receive((rank + 4) % 5, 5'000'000)});
  const Schedule schedule = listed(std::move(lists));
  const auto result = [&](Fidelity fidelity) {
    return run(schedule, cost_model(machine, 5), network, Options{.fidelity = fidelity});
  };
  const SimulatedRun by_packets = result(Fidelity::Packet);
  const SimulatedRun flows = result(Fidelity::Flow);
  CHECK(by_packets.end_seconds() == Approx(flows.end_seconds()).epsilon(0.05));
  CHECK(by_packets.lost_packets == 0);
  CHECK(by_packets.packets >= 5 * 20'000'000 / 1448);
  CHECK(by_packets.link_bytes == flows.link_bytes);
  CHECK(by_packets.bytes_sent == flows.bytes_sent);
  CHECK(result(Fidelity::Packet).end_seconds() == by_packets.end_seconds());
}

TEST_CASE("linux network: hosts copy before packets leave and after they have come", "[packet]") {
  // 1 MB at 125 MB/s, 10 us each for a megabyte's copy, an overhead of 3 us at either end.
  cost::Machine machine = eager_machine();
  const Schedule schedule = listed({{send(1, 250'000)}, {receive(0, 250'000)}});
  const auto end = [&](const cost::Machine& with) {
    return packets(schedule, gigabit_star(2), with).end_seconds();
  };
  const double free = end(machine);
  machine.message.send_core_seconds_per_byte = 1e-11;
  machine.message.receive_core_seconds_per_byte = 1e-11;
  machine.message.send_overhead_seconds = 3e-6;
  machine.message.receive_overhead_seconds = 3e-6;
  CHECK(end(machine) - free == Approx(26e-6).epsilon(1e-3));
}

}  // namespace lockstep::sim
