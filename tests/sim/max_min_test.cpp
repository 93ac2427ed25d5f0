// SPDX-License-Identifier: Apache-2.0
#include "sim/network/max_min.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "models/base/random.h"

namespace lockstep::sim {
namespace {

struct System {
  struct Activity {
    double cap = kUnlimited;
    double weight = 1;
    std::vector<Use> uses;
  };
  std::vector<double> capacities;
  std::vector<Activity> activities;
};

std::vector<double> solve(MaxMin& solver, const System& system) {
  solver.clear();
  for (const double capacity : system.capacities)
    solver.add_resource(capacity);
  for (const System::Activity& activity : system.activities) {
    solver.add_activity(activity.cap, activity.weight);
    for (const Use& use : activity.uses)
      solver.add_use(use);
  }
  solver.solve();
  std::vector<double> rates;
  for (std::uint32_t a = 0; a < system.activities.size(); ++a)
    rates.push_back(solver.rate(a));
  return rates;
}

std::vector<double> solve(const System& system) {
  MaxMin solver;
  return solve(solver, system);
}

/// The textbook: raise the common level to the next cap or full resource, freeze those it holds,
/// start again. Everything is looked at in every round.
std::vector<double> solve_by_force(const System& system) {
  const std::size_t count = system.activities.size();
  std::vector<double> rates(count, 0);
  std::vector<bool> frozen(count);
  for (std::size_t round = 0; round < count; ++round) {
    std::vector<double> left = system.capacities;
    std::vector<double> growth(left.size(), 0);
    for (std::size_t a = 0; a < count; ++a)
      for (const Use& use : system.activities[a].uses) {
        if (frozen[a])
          left[use.resource] -= use.usage * rates[a];
        else
          growth[use.resource] += use.usage * system.activities[a].weight;
      }
    std::vector<double> level_of(count, kUnlimited);
    for (std::size_t a = 0; a < count; ++a) {
      if (frozen[a]) continue;
      const System::Activity& activity = system.activities[a];
      level_of[a] = activity.cap / activity.weight;
      for (const Use& use : activity.uses)
        if (use.usage > 0)
          level_of[a] = std::min(level_of[a], left[use.resource] / growth[use.resource]);
    }
    const double level = *std::min_element(level_of.begin(), level_of.end());
    for (std::size_t a = 0; a < count; ++a) {
      if (frozen[a] || level_of[a] > level * (1 + 1e-12)) continue;
      frozen[a] = true;
      rates[a] = level * system.activities[a].weight;
    }
  }
  return rates;
}

System random_system(Random& random) {
  System system;
  const std::uint64_t resources = random.below(9);
  for (std::uint64_t r = 0; r < resources; ++r)
    system.capacities.push_back(random.below(4) == 0 ? 8.0 : 0.1 + 10 * random.uniform());
  const std::uint64_t activities = 1 + random.below(25);
  for (std::uint64_t a = 0; a < activities; ++a) {
    System::Activity activity;
    if (resources == 0 || random.below(3) == 0) activity.cap = 0.05 + 3 * random.uniform();
    if (random.below(2) == 0) activity.weight = 0.1 + 5 * random.uniform();
    for (std::uint32_t r = 0; r < resources; ++r)
      if (random.below(3) == 0)
        activity.uses.push_back({r, random.below(3) == 0 ? 0.01 + 3 * random.uniform() : 1.0});
    if (activity.uses.empty() && activity.cap == kUnlimited) activity.cap = 1;
    system.activities.push_back(std::move(activity));
  }
  return system;
}

}  // namespace

TEST_CASE("max-min: flows on one link share it by weight", "[max_min]") {
  // 9 = 1 + 2 + 6 in the proportion 1 : 2 : 6.
  const System system{{9},
                      {{kUnlimited, 1, {{0}}}, {kUnlimited, 2, {{0}}}, {kUnlimited, 6, {{0}}}}};
  CHECK(solve(system) == std::vector<double>{1, 2, 6});
}

TEST_CASE("max-min: what a capped flow leaves goes to the others", "[max_min]") {
  // Link 10, caps 1 and none, none: 1, then (10 − 1) / 2 each.
  const System system{{10}, {{1, 1, {{0}}}, {kUnlimited, 1, {{0}}}, {kUnlimited, 1, {{0}}}}};
  CHECK(solve(system) == std::vector<double>{1, 4.5, 4.5});
}

TEST_CASE("max-min: the classic three links", "[max_min]") {
  // Links 1, 2, 4. a crosses all, b the first, c the second, d the third. Link 0 is full first:
  // a = b = 1/2. Then c = 2 − 1/2 and d = 4 − 1/2.
  const System system{{1, 2, 4},
                      {{kUnlimited, 1, {{0}, {1}, {2}}},
                       {kUnlimited, 1, {{0}}},
                       {kUnlimited, 1, {{1}}},
                       {kUnlimited, 1, {{2}}}}};
  CHECK(solve(system) == std::vector<double>{0.5, 0.5, 1.5, 3.5});
}

TEST_CASE("max-min: a flow and a thread share a core half and half", "[max_min]") {
  // One core. The thread has weight 1 and uses 1 core per unit of rate; the flow costs 2 ns a byte
  // and has weight 1 / 2 ns = 5e8: level 1/2 gives the thread 0.5 and the flow 2.5e8 B/s · 2e-9 =
  // 0.5.
  const System system{{1}, {{1, 1, {{0, 1}}}, {kUnlimited, 5e8, {{0, 2e-9}}}}};
  const std::vector<double> rates = solve(system);
  CHECK(rates[0] == Approx(0.5));
  CHECK(rates[1] == Approx(2.5e8));
}

TEST_CASE("max-min: without resources everybody runs at its cap", "[max_min]") {
  const System system{{}, {{3, 1, {}}, {kUnlimited, 1, {}}}};
  CHECK(solve(system) == std::vector<double>{3, kUnlimited});
  CHECK(solve(System{}).empty());
}

TEST_CASE("max-min: random systems agree with the solution by force and are max-min fair",
          "[max_min]") {
  MaxMin solver;  // one for all: nothing of a system may remain in the next
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const System system = random_system(random);
    const std::vector<double> rates = solve(solver, system);
    const std::vector<double> expected = solve_by_force(system);
    std::vector<double> used(system.capacities.size(), 0);
    std::vector<double> highest(system.capacities.size(), 0);  // level
    for (std::size_t a = 0; a < rates.size(); ++a) {
      REQUIRE(rates[a] == Approx(expected[a]).epsilon(1e-9));
      for (const Use& use : system.activities[a].uses) {
        used[use.resource] += use.usage * rates[a];
        highest[use.resource] =
            std::max(highest[use.resource], rates[a] / system.activities[a].weight);
      }
    }
    for (std::size_t r = 0; r < used.size(); ++r)
      REQUIRE(used[r] <= system.capacities[r] * (1 + 1e-9));
    for (std::size_t a = 0; a < rates.size(); ++a) {
      const System::Activity& activity = system.activities[a];
      bool held = rates[a] == activity.cap;
      for (const Use& use : activity.uses)
        held = held || (used[use.resource] >= system.capacities[use.resource] * (1 - 1e-9) &&
                        rates[a] / activity.weight >= highest[use.resource] * (1 - 1e-9));
      REQUIRE(held);
    }
  }
}

TEST_CASE("max-min: the order of activities means nothing, bit for bit", "[max_min]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const System system = random_system(random);
    const std::vector<double> rates = solve(system);
    std::vector<std::size_t> order;
    for (std::size_t a = 0; a < system.activities.size(); ++a)
      order.push_back(a);
    random.shuffle(order);
    System shuffled{system.capacities, {}};
    for (const std::size_t a : order)
      shuffled.activities.push_back(system.activities[a]);
    const std::vector<double> others = solve(shuffled);
    for (std::size_t a = 0; a < order.size(); ++a)
      REQUIRE(others[a] == rates[order[a]]);
  }
}

TEST_CASE("max-min: what is alike gets the same as one by one, bit for bit", "[max_min]") {
  // Copies of one system side by side, joined by resources that all copies use; and one copy, on
  // whose share of the joint resources all meet.
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const System one = random_system(random);
    const auto copies = static_cast<std::uint32_t>(2 + random.below(40));
    std::vector<bool> is_joint;
    System folded = one;
    System all;
    const auto resources = static_cast<std::uint32_t>(one.capacities.size());
    for (std::uint32_t r = 0; r < resources; ++r)
      is_joint.push_back(random.below(2) == 0);
    for (std::uint32_t copy = 0; copy < copies; ++copy)
      all.capacities.insert(all.capacities.end(), one.capacities.begin(), one.capacities.end());
    for (System::Activity& activity : folded.activities)
      for (Use& use : activity.uses)
        use.alike = is_joint[use.resource] ? copies : 1;
    for (const System::Activity& activity : one.activities)
      for (std::uint32_t copy = 0; copy < copies; ++copy) {
        all.activities.push_back(activity);
        for (Use& use : all.activities.back().uses)
          use.resource += is_joint[use.resource] ? 0 : copy * resources;
      }
    const std::vector<double> rates = solve(folded);
    const std::vector<double> expected = solve(all);
    for (std::size_t a = 0; a < expected.size(); ++a)
      REQUIRE(expected[a] == rates[a / copies]);
  }
}

}  // namespace lockstep::sim
