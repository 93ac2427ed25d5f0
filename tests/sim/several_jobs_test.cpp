// SPDX-License-Identifier: Apache-2.0
// Several jobs on one network: what they share and what they lose.
#include <catch2/catch.hpp>
#include <numeric>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

/// 4 bytes an element.
Schedule all_reduce(std::int32_t ranks, std::uint64_t count,
                    collectives::Algorithm algorithm = collectives::Algorithm::Ring) {
  collectives::Operation operation;
  operation.ranks = ranks;
  operation.data = {0, 0, count};
  return collectives::make_schedule(algorithm, operation);
}

/// Racks of two hosts each: a0 and a1, b0 and b1 on switches a and b, which one cable joins. All
/// links have 1 GB/s and no latency.
topology::Topology two_racks() {
  return topology::parse_topology(
      R"({"name": "racks", "hosts": ["a0", "a1", "b0", "b1"], "switches": ["a", "b"],
          "link_defaults": {"bandwidth": "1 GB/s", "latency": "0 us"},
          "links": [{"from": "a0", "to": "a"}, {"from": "a1", "to": "a"}, {"from": "b0", "to": "b"},
                    {"from": "b1", "to": "b"}, {"from": "a", "to": "b"}]})",
      "racks");
}

struct Job {
  Schedule schedule;
  std::vector<HostId> hosts;
  Options options{};
  std::vector<int> milliseconds{};  // of its works
};

std::vector<SimulatedRun> together(const std::vector<Job>& jobs, const topology::Topology& network,
                                   const cost::Machine& machine) {
  std::vector<cost::CostModel> costs;
  for (const Job& job : jobs)
    costs.push_back(cost_model(machine, job.schedule.ranks, job.milliseconds));
  std::vector<JobOnNetwork> given;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    given.push_back({jobs[i].schedule, costs[i], jobs[i].hosts, jobs[i].options});
  return simulate_together(given, network);
}

/// What counts of a run: events are those of all jobs.
bool are_equal(const SimulatedRun& a, const SimulatedRun& b) {
  for (std::size_t rank = 0; rank < a.iterations.size(); ++rank)
    for (std::size_t i = 0; i < a.iterations[rank].size(); ++i)
      if (a.iterations[rank][i].start != b.iterations[rank][i].start ||
          a.iterations[rank][i].end != b.iterations[rank][i].end)
        return false;
  return a.iterations.size() == b.iterations.size() && a.bytes_sent == b.bytes_sent &&
         a.link_bytes == b.link_bytes && a.bucket_seconds == b.bucket_seconds;
}

}  // namespace

TEST_CASE("several jobs: two that fill one cable take twice as long", "[several-jobs]") {
  // A ring of two sends half of 4 MB each way twice, over the cable between the racks: 4 ms alone.
  const cost::Machine machine = free_machine();
  const topology::Topology network = two_racks();
  const Job first{all_reduce(2, 1'000'000), {0, 2}};
  const Job second{all_reduce(2, 1'000'000), {1, 3}};
  const auto alone = together({first}, network, machine);
  CHECK(last_end(alone[0]) == 4 * kMillisecond);
  const auto both = together({first, second}, network, machine);
  CHECK(last_end(both[0]) == 8 * kMillisecond);
  CHECK(are_equal(both[0], together({second, first}, network, machine)[1]));
  CHECK(last_end(both[1]) == 8 * kMillisecond);
  CHECK(both[0].link_bytes == alone[0].link_bytes);
  // Of the links' bytes each job has its own: the second one's are on b1's, none on b0's.
  CHECK(both[1].bytes_sent == both[0].bytes_sent);
  CHECK(both[1].link_bytes != both[0].link_bytes);
}

TEST_CASE("several jobs: one that begins later shares from then on", "[several-jobs]") {
  // Messages of 4 MB over the cable. The first has 1 ms to itself; the 3 MB that are left take 6
  // ms. Until 7 ms the second has sent 3 MB, then the last one in 1 ms.
  const cost::Machine machine = free_machine();
  const Schedule message = listed({{send(1, 1'000'000)}, {receive(0, 1'000'000)}});
  const Options later{.starts = {Time{kMillisecond}, Time{kMillisecond}}};
  const auto both = together({{message, {0, 2}}, {message, {1, 3}, later}}, two_racks(), machine);
  CHECK(last_end(both[0]) == 7 * kMillisecond);
  CHECK(last_end(both[1]) == 8 * kMillisecond);
}

TEST_CASE("several jobs: where jobs go on, all that is measured is shared", "[several-jobs]") {
  // The first has 3 iterations to measure, the second one of a tenth of the bytes 50: alone with
  // the cable for its last ones, if the first did not go on. Sharing is by halves throughout.
  const cost::Machine machine = free_machine();
  const auto mean = [](const SimulatedRun& run) {
    const auto& own = run.iterations.front();
    return (own.back().end - own.front().start).picoseconds / std::ssize(own);
  };
  Job large{all_reduce(2, 1'000'000), {0, 2}, {.iterations = 3, .goes_on = true}};
  const Job small{all_reduce(2, 100'000), {1, 3}, {.iterations = 100, .goes_on = true}};
  auto both = together({large, small}, two_racks(), machine);
  CHECK(both[0].iterations[1].size() == 3);
  CHECK(mean(both[0]) == 8 * kMillisecond);
  CHECK(mean(both[1]) == 800 * kMicrosecond);
  large.options.goes_on = false;  // from 24 ms on the small one is alone: 30 and 70 iterations
  both = together({large, small}, two_racks(), machine);
  CHECK(mean(both[1]) == (30 * 800 + 70 * 400) * kMicrosecond / 100);
}

TEST_CASE("several jobs: those that share no link do not disturb each other", "[several-jobs]") {
  // Bit for bit, whatever they do at the same time. On a star each has its hosts' cables.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.message.send_overhead_seconds = 3e-6;
  machine.message.receive_overhead_seconds = 2e-6;
  const topology::Topology network = star(12);
  Options options{.iterations = 5, .compute_noise = 0.1, .seed = 3};
  std::vector<Job> jobs{
      {all_reduce(5, 100'003, collectives::Algorithm::HalvingDoubling), {0, 2, 4, 6, 8}, options},
      {all_reduce(3, 300'001), {1, 3, 5}, options},
      {all_reduce(4, 77'777, collectives::Algorithm::DoubleTree), {7, 9, 10, 11}, options}};
  const auto all = together(jobs, network, machine);
  for (std::size_t i = 0; i < jobs.size(); ++i)
    CHECK(are_equal(all[i], together({jobs[i]}, network, machine)[0]));
}

TEST_CASE("several jobs: their order does not matter", "[several-jobs]") {
  // Random algorithms, sizes, hosts and starts on a fat tree whose cables they share.
  const std::uint64_t seed = 20'240'611;
  INFO("seed " << seed);
  Random random(seed);
  const topology::Topology network = topology::parse_topology(
      R"({"name": "tree", "generate": {"fat-tree": {"k": 4, "oversubscription": 2,
          "bandwidth": "1 GB/s", "latency": "5 us"}}})",
      "tree");
  const cost::Machine machine = free_machine();
  const auto& algorithms = collectives::all_algorithms();
  int disturbed = 0;
  for (int round = 0; round < 30; ++round) {
    std::vector<HostId> hosts(network.hosts.size());
    std::iota(hosts.begin(), hosts.end(), 0);
    random.shuffle(hosts);
    std::vector<Job> jobs;
    for (std::size_t next = 0; jobs.size() < 3;) {
      const auto ranks = static_cast<std::int32_t>(2 + random.below(4));
      Job job{
          all_reduce(ranks, 1 + random.below(200'000), algorithms[random.below(algorithms.size())]),
          {},
          {.iterations = 3, .seed = random.below(1000)}};
      for (Rank rank = 0; rank < ranks; ++rank)
        job.hosts.push_back(hosts[next++]);
      job.options.starts.assign(static_cast<std::size_t>(ranks),
                                Time{static_cast<std::int64_t>(random.below(100)) * kMicrosecond});
      jobs.push_back(std::move(job));
    }
    const auto forward = together(jobs, network, machine);
    for (std::size_t i = 0; i < jobs.size(); ++i)
      disturbed += !are_equal(forward[i], together({jobs[i]}, network, machine)[0]);
    std::rotate(jobs.begin(), jobs.begin() + 1, jobs.end());
    const auto turned = together(jobs, network, machine);
    for (std::size_t i = 0; i < jobs.size(); ++i)
      CHECK(are_equal(turned[i], forward[(i + 1) % jobs.size()]));
  }
  CHECK(disturbed > 45);  // of 90: otherwise it would show little
}

}  // namespace lockstep::sim
