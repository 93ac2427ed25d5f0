// SPDX-License-Identifier: Apache-2.0
// What is known of all-reduce algorithms on trees comes out, with the figures and reasons of
// sim/README.md. Hosts cost nothing: only the network takes time.
#include <catch2/catch.hpp>
#include <functional>

#include "models/collectives/algorithm.h"
#include "models/topology/placement.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

using collectives::Algorithm;
using topology::Topology;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr double kBytesPerSecond = 10e9 / 8;  // of a host's cable

Topology generated(const std::string& shape) {
  return topology::parse_topology(
      R"({"name": "t", "routing": "split", "generate": {)" + shape + "}}", "t");
}

/// 8 racks of 8 hosts; to the backbone each rack has one cable like a host's (8:1).
Topology oversubscribed() {
  return generated(R"("two-tier": {"racks": 8, "hosts_per_rack": 8,
                      "bandwidth": "10 Gbit/s", "latency": "5 us"})");
}

Topology two_racks(int hosts_per_rack) {
  return generated(R"("two-tier": {"racks": 2, "hosts_per_rack": )" +
                   std::to_string(hosts_per_rack) +
                   R"(, "bandwidth": "10 Gbit/s", "latency": "25 us",
                       "backbone": {"bandwidth": "1 Gbit/s", "latency": "1 ms"}})");
}

/// Rank r on the place(r)-th host, in the order of the racks.
using Place = std::function<HostId(Rank rank)>;
HostId packed(Rank rank) {
  return rank;
}

struct Question {
  Topology topology;
  std::int32_t ranks = 0;
  Place place = packed;
  std::int32_t servers = 0;

  /// Seconds of one all-reduce of float32.
  double seconds(Algorithm algorithm, std::uint64_t bytes) const {
    collectives::Operation operation;
    operation.ranks = ranks;
    operation.data = {0, 0, bytes / 4};
    operation.servers = servers;
    std::vector<HostId> hosts;
    for (Rank rank = 0; rank < ranks; ++rank)
      hosts.push_back(place(rank));
    if (algorithm == Algorithm::Hierarchical)
      operation.groups = topology::group_ranks(topology, hosts, {topology::GroupBy::Kind::Rack});
    const cost::Machine machine = free_machine();
    const SimulatedRun run = simulate(collectives::make_schedule(algorithm, operation),
                                      cost_model(machine, ranks), topology, hosts, {.fold = true});
    return static_cast<double>(last_end(run)) * 1e-12;
  }
};

}  // namespace

TEST_CASE("known: halving-doubling loses to the ring on an oversubscribed tree", "[known]") {
  const Question aligned{oversubscribed(), 64};
  const double bytes = 100 * kMiB;
  // 2 · 63/64 · n through every host's cable and through every rack's, which one flow at a time
  // uses; 126 messages of up to four links of 5 us.
  const double ring = aligned.seconds(Algorithm::Ring, 100 * kMiB);
  const double alone = 2 * 63.0 / 64 * bytes / kBytesPerSecond;
  CHECK(ring >= alone);
  CHECK(ring <= alone + 126 * 20e-6);
  // Within racks 2 (1/2 + 1/4 + 1/8) n; then 8 hosts at a time send 1/16 + 1/32 + 1/64 of n
  // through the rack's cable, each way and back: as much again.
  const double halving = aligned.seconds(Algorithm::HalvingDoubling, 100 * kMiB);
  CHECK(halving ==
        Approx((2 * 7.0 / 8 + 2 * 8 * 7.0 / 64) * bytes / kBytesPerSecond).epsilon(0.01));

  // Racks begin in the middle of eight ranks: to the ring that is nothing. Partners at a distance
  // of 4 are in different racks now, and exchange 1/8 of n. Those at 8, 16, 32 still are.
  const Question shifted{oversubscribed(), 64, [](Rank rank) { return (rank + 60) % 64; }};
  CHECK(shifted.seconds(Algorithm::Ring, 100 * kMiB) == Approx(ring).epsilon(1e-6));
  CHECK(shifted.seconds(Algorithm::HalvingDoubling, 100 * kMiB) ==
        Approx((2 * 3.0 / 4 + 2 * 8 * 15.0 / 64) * bytes / kBytesPerSecond).epsilon(0.01));

  // Neighbours in different racks: all that the ring sends crosses, and of halving-doubling all but
  // the partners at 8, 16 and 32: it is the ring that loses, both are eight times as slow.
  const Question across{oversubscribed(), 64, [](Rank rank) { return rank % 8 * 8 + rank / 8; }};
  CHECK(across.seconds(Algorithm::Ring, 100 * kMiB) == Approx(8 * ring).epsilon(0.02));
  CHECK(across.seconds(Algorithm::HalvingDoubling, 100 * kMiB) ==
        Approx((2 * 8 * 7.0 / 8 + 2 * 7.0 / 64) * bytes / kBytesPerSecond).epsilon(0.01));
}

TEST_CASE("known: with full bisection halving-doubling wins by its latencies", "[known]") {
  const Question fat_tree{
      generated(R"("fat-tree": {"k": 8, "bandwidth": "10 Gbit/s", "latency": "5 us"})"), 64};
  // 12 messages against 126.
  CHECK(5 * fat_tree.seconds(Algorithm::HalvingDoubling, 4 * kKiB) <
        fat_tree.seconds(Algorithm::Ring, 4 * kKiB));
  // The same bytes: large ones take the same time, to the latencies.
  CHECK(fat_tree.seconds(Algorithm::HalvingDoubling, 100 * kMiB) ==
        Approx(fat_tree.seconds(Algorithm::Ring, 100 * kMiB)).epsilon(0.02));
}

TEST_CASE("known: hierarchical wins on two racks with a slow backbone", "[known]") {
  // n crosses once each way, in two rounds: 2 · n/2 of each of the racks.
  const double crossing = 100.0 * kMiB / (kBytesPerSecond / 10);
  const auto others_lose = [&](const Question& question, std::uint64_t bytes, double by) {
    const double best = question.seconds(Algorithm::Hierarchical, bytes);
    for (const Algorithm algorithm : collectives::all_algorithms()) {
      if (algorithm == Algorithm::Hierarchical) continue;
      INFO(collectives::name_of(algorithm) << ", " << bytes << " bytes");
      CHECK(question.seconds(algorithm, bytes) >= by * best);
    }
    return best;
  };
  // 7 hosts a rack: torus and bcube, 7 × 2, come out as the racks are and do the same.
  const Question sevens{two_racks(7), 14};
  for (const std::uint64_t bytes : {64 * kKiB, kMiB, 100 * kMiB})
    others_lose(sevens, bytes, 0.998);
  // The ring sends 2 · 13/14 · n across, and 26 times in turn.
  CHECK(sevens.seconds(Algorithm::Ring, 100 * kMiB) == Approx(26.0 / 14 * crossing).epsilon(0.06));
  // Neighbours in different racks: groups follow the racks, whatever the ranks' numbers are.
  const Question across{two_racks(8), 16, [](Rank rank) { return rank % 2 * 8 + rank / 2; }};
  const double best = others_lose(across, 100 * kMiB, 6);
  CHECK(best == Approx(crossing + 2 * 7.0 / 8 * crossing / 10).epsilon(0.01));
  others_lose(across, kMiB, 4);
  others_lose(across, 64 * kKiB, 1.2);
}

TEST_CASE("known: one parameter server collapses as workers grow", "[known]") {
  const double one_way = 100.0 * kMiB / kBytesPerSecond;
  for (const std::int32_t ranks : {2, 8, 32, 128}) {
    const Question one{generated(R"("star": {"hosts": )" + std::to_string(ranks) +
                                 R"(, "bandwidth": "10 Gbit/s", "latency": "5 us"})"),
                       ranks, packed, 1};
    Question all = one;
    all.servers = 0;
    // n comes in from every other rank, and goes out to it.
    CHECK(one.seconds(Algorithm::ParameterServer, 100 * kMiB) ==
          Approx(2 * (ranks - 1) * one_way + 2 * 10e-6).epsilon(1e-4));
    // Shared over all ranks it is 2 (p − 1)/p of n, as for the ring, and a little waiting.
    CHECK(all.seconds(Algorithm::ParameterServer, 100 * kMiB) <= 1.01 * 2 * one_way);
    CHECK(all.seconds(Algorithm::Ring, 100 * kMiB) <= 2 * one_way + 2 * ranks * 10e-6);
  }
}

}  // namespace lockstep::sim
