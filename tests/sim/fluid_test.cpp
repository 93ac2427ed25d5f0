// SPDX-License-Identifier: Apache-2.0
#include "sim/network/fluid.h"
#include "models/topology/topology.h"
#include "sim/network/bursts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::sim {
namespace {

constexpr std::uint8_t kStart = 0;
constexpr std::uint8_t kEnd = 1;
constexpr std::uint8_t kChange = 2;

/// What starts when: activities of a few kinds on a few resources.
struct Scenario {
  struct Kind {
    double cap = kUnlimited;
    double weight = 1;
    std::vector<Use> uses;
  };
  struct Start {
    Time time;
    std::uint32_t kind = 0;
    double amount = 0;
  };
  /// From then on that share of a resource is left.
  struct Change {
    Time time;
    std::uint32_t resource = 0;
    double share = 1;
  };
  std::vector<double> capacities;
  std::vector<Kind> kinds;
  std::vector<Start> starts;
  std::vector<Change> changes{};  // in the order of their times
};

/// The end of each activity, as the Fluid has it.
std::vector<Time> run(const Scenario& scenario) {
  EventQueue queue(3);
  Fluid fluid(queue);
  for (const double capacity : scenario.capacities)
    fluid.add_resource(capacity);
  for (const Scenario::Kind& kind : scenario.kinds)
    fluid.add_profile(kind.cap, kind.weight, kind.uses);
  for (std::uint32_t i = 0; i < scenario.starts.size(); ++i)
    queue.push(scenario.starts[i].time, kStart, i);
  for (std::uint32_t i = 0; i < scenario.changes.size(); ++i)
    queue.push(scenario.changes[i].time, kChange, i);
  std::vector<Time> ends(scenario.starts.size());
  while (!queue.empty() || fluid.unsettled()) {
    if (fluid.unsettled() && queue.next_time() > queue.now()) {
      fluid.settle();
      continue;
    }
    const Event event = queue.pop();
    if (event.kind == kStart) {
      const Scenario::Start& start = scenario.starts[event.payload];
      fluid.start(start.kind, start.amount, kEnd, event.payload);
    } else if (event.kind == kChange) {
      const Scenario::Change& change = scenario.changes[event.payload];
      fluid.set_left(change.resource, change.share);
    } else if (const auto ended = fluid.ended(event)) {
      CHECK(ends[*ended] == Time{});
      ends[*ended] = event.time;
    }
  }
  return ends;
}

/// The same by brute force: at every start and end the whole system is solved afresh.
/// Time in seconds and not rounded.
std::vector<double> run_by_force(const Scenario& scenario) {
  const std::size_t count = scenario.starts.size();
  std::vector<double> remaining(count);
  std::vector<double> ends(count, -1);
  for (std::size_t i = 0; i < count; ++i)
    remaining[i] = scenario.starts[i].amount;
  std::vector<double> share(scenario.capacities.size(), 1);
  double now = 0;
  for (;;) {
    double next = kUnlimited;
    for (const Scenario::Change& change : scenario.changes)
      if (change.time.seconds() <= now)
        share[change.resource] = change.share;
      else
        next = std::min(next, change.time.seconds());
    MaxMin solver;
    for (std::size_t r = 0; r < share.size(); ++r)
      solver.add_resource(scenario.capacities[r], share[r]);
    std::vector<std::size_t> running;
    for (std::size_t i = 0; i < count; ++i) {
      if (ends[i] >= 0) continue;
      if (scenario.starts[i].time.seconds() > now) {
        next = std::min(next, scenario.starts[i].time.seconds());
        continue;
      }
      const Scenario::Kind& kind = scenario.kinds[scenario.starts[i].kind];
      solver.add_activity(kind.cap, kind.weight);
      for (const Use& use : kind.uses)
        solver.add_use(use);
      running.push_back(i);
    }
    if (running.empty() && next == kUnlimited) return ends;
    LOCKSTEP_CHECK(now < 1e6, "the brute force does not end");
    solver.solve();
    for (std::uint32_t a = 0; a < running.size(); ++a)
      next = std::min(next, now + remaining[running[a]] / solver.rate(a));
    for (std::uint32_t a = 0; a < running.size(); ++a) {
      double& left = remaining[running[a]];
      left -= solver.rate(a) * (next - now);
      if (left <= 1e-9 * scenario.starts[running[a]].amount) ends[running[a]] = next;
    }
    now = next;
  }
}

Scenario random_scenario(Random& random) {
  Scenario scenario;
  const std::uint64_t resources = 1 + random.below(8);
  for (std::uint64_t r = 0; r < resources; ++r)
    scenario.capacities.push_back(random.below(3) == 0 ? 1e3 : 100 + 1e3 * random.uniform());
  const std::uint64_t kinds = 1 + random.below(8);
  for (std::uint64_t k = 0; k < kinds; ++k) {
    Scenario::Kind kind;
    if (random.below(3) == 0) kind.cap = 50 + 500 * random.uniform();
    if (random.below(3) == 0) kind.weight = 0.2 + 3 * random.uniform();
    for (std::uint32_t r = 0; r < resources; ++r)
      if (random.below(3) == 0)
        kind.uses.push_back({r, random.below(2) == 0 ? 0.1 + random.uniform() : 1.0});
    if (kind.uses.empty()) kind.uses.push_back({0, 1});
    scenario.kinds.push_back(std::move(kind));
  }
  const std::uint64_t starts = 1 + random.below(40);
  for (std::uint64_t i = 0; i < starts; ++i) {
    const auto slot = static_cast<std::int64_t>(random.below(20));
    const Time time{slot * 100'000'000'000};  // multiples of 0.1 s: several start together
    scenario.starts.push_back({time, static_cast<std::uint32_t>(random.below(kinds)),
                               random.below(3) == 0 ? 100.0 : 1 + 300 * random.uniform()});
  }
  return scenario;
}

}  // namespace

TEST_CASE("fluid: a lone activity takes amount over rate, rounded up to a picosecond", "[fluid]") {
  // 1448 B at 125e6 · 1448 / 1538 B/s: 1538 / 125e6 s = 12.304 us.
  const Scenario scenario{{125e6 * 1448 / 1538}, {{kUnlimited, 1, {{0}}}}, {{Time{7}, 0, 1448}}};
  CHECK(run(scenario).front() == Time{7 + 12'304'000});
}

TEST_CASE("fluid: a flow is slowed down while another one shares its link", "[fluid]") {
  // Link 100 B/s. a has 300 B from 0 s, b 50 B from 1 s: until 1 s a does 100; then 50 B/s each:
  // b ends at 2 s, when a has 150 left: it ends at 3.5 s.
  const Scenario scenario{
      {100}, {{kUnlimited, 1, {{0}}}}, {{Time{}, 0, 300}, {Time{1'000'000'000'000}, 0, 50}}};
  CHECK(run(scenario) == std::vector<Time>{Time{3'500'000'000'000}, Time{2'000'000'000'000}});
}

TEST_CASE("fluid: an activity that starts when another ends never meets it", "[fluid]") {
  // The second starts by an event entered before the first one's end, at the same time.
  const Scenario scenario{
      {100}, {{kUnlimited, 1, {{0}}}}, {{Time{}, 0, 100}, {Time{1'000'000'000'000}, 0, 100}}};
  CHECK(run(scenario) == std::vector<Time>{Time{1'000'000'000'000}, Time{2'000'000'000'000}});
}

TEST_CASE("fluid: resources without limit cost no time", "[fluid]") {
  const Scenario scenario{{kUnlimited}, {{kUnlimited, 1, {{0}}}}, {{Time{5}, 0, 1e9}}};
  CHECK(run(scenario).front() == Time{5});
}

TEST_CASE("fluid: what would take for ever is the input's fault", "[fluid]") {
  const Scenario scenario{{1e-3}, {{kUnlimited, 1, {{0}}}}, {{Time{5}, 0, 1e15}}};
  CHECK_THROWS_AS(run(scenario), ConfigError);
}

TEST_CASE("fluid: random scenarios end as if all were solved afresh at every event", "[fluid]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Scenario scenario = random_scenario(random);
    const std::vector<Time> ends = run(scenario);
    const std::vector<double> expected = run_by_force(scenario);
    for (std::size_t i = 0; i < ends.size(); ++i)
      // Ends that differ by rounding only may be taken apart by the one and not by the other.
      REQUIRE(ends[i].seconds() == Approx(expected[i]).epsilon(1e-8));
  }
}

TEST_CASE("fluid: the same when others take and leave shares of the resources", "[fluid]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Scenario scenario = random_scenario(random);
    const std::size_t resources = scenario.capacities.size();
    for (std::int64_t step = 0; step < 30; ++step)
      scenario.changes.push_back({Time{step * 70'000'000'001},
                                  static_cast<std::uint32_t>(random.below(resources)),
                                  random.below(3) == 0 ? 0.0 : random.uniform()});
    for (std::uint32_t r = 0; r < resources; ++r)  // in the end everything moves
      scenario.changes.push_back({Time{2'100'000'000'030}, r, 0.01 + random.uniform() * 0.99});
    const std::vector<Time> ends = run(scenario);
    const std::vector<double> expected = run_by_force(scenario);
    for (std::size_t i = 0; i < ends.size(); ++i)
      REQUIRE(ends[i].seconds() == Approx(expected[i]).epsilon(1e-8));
  }
}

TEST_CASE("fluid: what stands still goes on where it was", "[fluid]") {
  // 100 B/s. 300 B: 100 until 1 s, none until 5 s, a quarter of the rate until 9 s, 100 more.
  const Scenario scenario{{100},
                          {{kUnlimited, 1, {{0}}}},
                          {{Time{}, 0, 300}},
                          {{Time{1'000'000'000'000}, 0, 0},
                           {Time{5'000'000'000'000}, 0, 0.25},
                           {Time{9'000'000'000'000}, 0, 1}}};
  CHECK(run(scenario).front() == Time{10'000'000'000'000});
}

TEST_CASE("fluid: at half of all capacities everything takes twice as long", "[fluid]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Scenario scenario = random_scenario(random);
    const std::vector<Time> ends = run(scenario);
    for (double& capacity : scenario.capacities)
      capacity /= 2;
    for (Scenario::Kind& kind : scenario.kinds)
      kind.cap /= 2;
    for (Scenario::Start& start : scenario.starts)
      start.time = 2 * start.time;
    const std::vector<Time> slow = run(scenario);
    // Each end is rounded up to a picosecond, and what follows it is shifted as much.
    for (std::size_t i = 0; i < ends.size(); ++i)
      REQUIRE(std::abs(slow[i].picoseconds - 2 * ends[i].picoseconds) <= 200);
  }
}

TEST_CASE("fluid: rates follow who is there, and every byte is moved", "[fluid]") {
  // At each settling the rates on every resource stay within its capacity; integrated over time
  // they give each activity's amount.
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Scenario scenario = random_scenario(random);
    EventQueue queue(2);
    Fluid fluid(queue);
    for (const double capacity : scenario.capacities)
      fluid.add_resource(capacity);
    for (const Scenario::Kind& kind : scenario.kinds)
      fluid.add_profile(kind.cap, kind.weight, kind.uses);
    for (std::uint32_t i = 0; i < scenario.starts.size(); ++i)
      queue.push(scenario.starts[i].time, kStart, i);
    std::map<std::uint32_t, std::uint32_t> running;  // start → activity
    std::vector<double> moved(scenario.starts.size(), 0);
    Time before;
    while (!queue.empty() || fluid.unsettled()) {
      if (fluid.unsettled() && queue.next_time() > queue.now()) {
        fluid.settle();
        std::vector<double> used(scenario.capacities.size(), 0);
        for (const auto& [start, activity] : running)
          for (const Use& use : scenario.kinds[scenario.starts[start].kind].uses)
            used[use.resource] += use.usage * fluid.rate(activity);
        for (std::size_t r = 0; r < used.size(); ++r)
          REQUIRE(used[r] <= scenario.capacities[r] * (1 + 1e-9));
        continue;
      }
      const Event event = queue.pop();
      for (const auto& [start, activity] : running)
        if (event.time != before)
          moved[start] += fluid.rate(activity) * (event.time - before).seconds();
      before = event.time;
      if (event.kind == kStart) {
        const Scenario::Start& start = scenario.starts[event.payload];
        running[event.payload] = fluid.start(start.kind, start.amount, kEnd, event.payload);
      } else if (const auto ended = fluid.ended(event)) {
        running.erase(*ended);
      }
    }
    CHECK(running.empty());
    for (std::size_t i = 0; i < moved.size(); ++i)
      REQUIRE(moved[i] == Approx(scenario.starts[i].amount).epsilon(1e-7));
  }
}

TEST_CASE("bursts: a bucket fills with what flows leave of the link", "[fluid]") {
  // 1 MB/s and 1 kB. It is empty; a flow takes 0.25 MB/s: after 1 ms there are 750 bytes.
  const topology::Topology line = topology::parse_topology(
      R"({"name": "t", "hosts": ["a", "b"], "links": [{"from": "a", "to": "b",
          "bandwidth": "1 MB/s", "latency": "0 s", "burst": "1 kB"}]})",
      "t");
  EventQueue queue(2);
  Fluid fluid(queue);
  const std::uint32_t link = fluid.add_resource(1e6);
  Bursts bursts(line, fluid, [&](LinkId) { return link; });
  const std::vector<topology::Hop> route{{0, 1.0}};
  CHECK(bursts.enter(route, 5000, kUnlimited, queue.now()) == 1000);
  CHECK(bursts.enter(route, 5000, kUnlimited, queue.now()) == 0);
  const std::vector<Use> uses{{link, 1}};
  fluid.start(fluid.add_profile(0.25e6, 1, uses), 2500, 0, 0);
  fluid.settle();
  const auto pass = [&](double seconds) {
    queue.push(Time::from_seconds(seconds), 1, 0);
    while (queue.now() < Time::from_seconds(seconds)) {
      const Event event = queue.pop();
      if (event.kind == 0) fluid.ended(event);
    }
  };
  pass(0.001);
  CHECK(bursts.enter(route, 500, kUnlimited, queue.now()) == Approx(500));
  CHECK(bursts.enter(route, 500, kUnlimited, queue.now()) == Approx(250));
  // At twice the link's rate it lasts for twice as many bytes, and is owed to meanwhile.
  pass(0.002);
  CHECK(bursts.enter(route, 5000, 2e6, queue.now()) == Approx(1500));
  CHECK(bursts.enter(route, 5000, 2e6, queue.now()) == 0);
  // After 10 ms the flow is over; no more than the bucket's depth is ever in it.
  pass(0.1);
  CHECK(bursts.enter(route, 5000, kUnlimited, queue.now()) == 1000);
}

}  // namespace lockstep::sim
