// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/folding.h"

#include <catch2/catch.hpp>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/topology/generators.h"
#include "models/topology/shapes.h"
#include "tests/sim/refinement.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

struct Scene {
  Schedule schedule;
  topology::Topology topology;
  std::vector<HostId> host_of_rank;
  cost::Machine machine;
  Options options;

  cost::CostModel cost() const { return cost_model(machine, schedule.ranks); }
  Folding folding() const { return Folding::find(schedule, cost(), topology, host_of_rank); }
  SimulatedRun run(bool fold) const {
    Options own = options;
    own.fold = fold;
    return simulate(schedule, cost(), topology, host_of_rank, own);
  }
};

void check_same(const SimulatedRun& folded, const SimulatedRun& all) {
  REQUIRE(folded.iterations.size() == all.iterations.size());
  for (std::size_t rank = 0; rank < all.iterations.size(); ++rank)
    for (std::size_t i = 0; i < all.iterations[rank].size(); ++i) {
      const results::IterationFigures& a = folded.iterations[rank][i];
      const results::IterationFigures& b = all.iterations[rank][i];
      CAPTURE(rank, i, a.end.picoseconds, b.end.picoseconds);
      REQUIRE((a.start == b.start && a.end == b.end && a.compute == b.compute &&
               a.exposed == b.exposed && a.waiting == b.waiting));
    }
  REQUIRE(folded.bytes_sent == all.bytes_sent);
  REQUIRE(folded.link_bytes == all.link_bytes);
  REQUIRE(folded.bucket_seconds == all.bucket_seconds);
  REQUIRE(folded.messages == all.messages);
}

topology::Topology random_topology(Random& random) {
  const auto pick = [&](int low, int high) {
    return static_cast<std::int32_t>(
        low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1))));
  };
  const auto& all = topology::shapes();
  const topology::ShapeFacts& facts = all[random.below(all.size())];
  topology::Rule rule;
  rule.shape = facts.shape;
  for (int attempt = 0; attempt < 100; ++attempt) {
    rule.sizes.clear();
    for (const topology::Parameter& parameter : facts.parameters)
      rule.sizes.push_back(std::max(parameter.low, pick(1, 5)));
    if (topology::fault_of(rule).empty() && topology::counts(rule).hosts <= 40) break;
  }
  rule.host.sockets = pick(1, 3) == 1 ? 2 : 1;
  if (rule.host.sockets > 1) rule.host.socket_bytes_per_second = 3e9;
  for (std::size_t tier = 0; tier <= facts.tiers.size(); ++tier) {
    topology::Wire wire{.bytes_per_second = 1e8 * pick(1, 30),
                        .latency = Time{1'000'000 * pick(0, 20)}};
    topology::Wire back = wire;
    if (random.below(4) == 0) back.bytes_per_second *= 0.7;
    rule.cables.push_back({wire, back});
  }
  topology::Topology made = topology::generate(rule);
  made.routing = static_cast<topology::Routing>(random.below(3));
  return made;
}

Scene random_scene(Random& random) {
  const auto chance = [&](int in) { return random.below(static_cast<std::uint64_t>(in)) == 0; };
  Scene scene;
  scene.topology = random_topology(random);
  const auto hosts = static_cast<std::int32_t>(scene.topology.hosts.size());
  // Mostly all hosts alike, with one or two ranks.
  std::int32_t ranks =
      chance(4) ? static_cast<std::int32_t>(1 + random.below(24)) : hosts * (chance(2) ? 2 : 1);
  ranks = std::clamp(ranks, 2, 48);
  const auto& algorithms = collectives::all_algorithms();
  collectives::Operation operation;
  operation.ranks = ranks;
  operation.segment_elements = chance(3) ? 64 : 0;
  const std::uint64_t count =
      static_cast<std::uint64_t>(ranks) * (1 + random.below(300)) + (chance(6) ? 1 : 0);
  operation.data = {0, 0, count};
  if (chance(2))
    for (Rank rank = 0; rank < ranks; ++rank)
      operation.groups.push_back(rank / std::max(1, ranks / 2));
  const collectives::Algorithm algorithm = algorithms[random.below(algorithms.size())];
  scene.schedule = collectives::make_schedule(algorithm, operation);
  if (chance(3)) {  // something to compute before it, and another one beside it
    Step first = combine(1000);
    first.lane = Lane::Compute;
    std::vector<schedule::Fragment> fragments{
        {"compute",
         -1,
         std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{{first}}),
         {}}};
    operation.data.buffer = operation.scratch.buffer = 0;
    for (int i = 0; i < 2; ++i) {
      operation.stream = static_cast<std::uint8_t>(i * collectives::streams_of(algorithm));
      operation.scratch = {0, 0, collectives::scratch_elements(algorithm, count)};
      fragments.push_back({"all-reduce", i, make_steps(algorithm, operation), {{0}}});
    }
    scene.schedule.fragments = fragments;
  }
  scene.machine = free_machine();
  scene.machine.cores = static_cast<double>(1 + random.below(4));
  cost::MessageCost& message = scene.machine.message;
  if (chance(2)) message.send_overhead_seconds = 2e-6;
  if (chance(2)) message.receive_overhead_seconds = 3e-6;
  if (chance(2)) message.send_core_seconds_per_byte = 3e-10;
  if (chance(2)) message.receive_core_seconds_per_byte = 7e-10;
  if (chance(2)) message.window_bytes = 1 << 20;
  if (chance(2)) scene.machine.combine_seconds_per_byte = 1e-10;
  if (chance(2)) scene.machine.memory_bytes_per_second = 3e9;
  if (chance(2)) scene.machine.loopback_bytes_per_second = 1e9;
  if (!scene.topology.links.empty() && chance(3)) {
    topology::Link& link = scene.topology.links[random.below(scene.topology.links.size())];
    link.bytes_per_second *= 0.5;
    scene.topology.rule.reset();
  }
  topology::Placement placement;
  if (chance(2)) placement.kind = topology::PlacementKind::Scattered;
  scene.host_of_rank = topology::place(scene.topology, ranks, placement, "test");
  scene.options.fidelity = chance(5) ? Fidelity::Ideal : Fidelity::Flow;
  scene.options.iterations = static_cast<std::int32_t>(1 + random.below(3));
  scene.options.warm_up_iterations = static_cast<std::int32_t>(random.below(2));
  return scene;
}

}  // namespace

TEST_CASE("folding: the same as unfolded, bit for bit", "[folding]") {
  int folded = 0;
  for (std::uint64_t seed = 1; folded < 300; ++seed) {
    REQUIRE(seed < 5000);
    Random random(seed);
    const Scene scene = random_scene(random);
    if (scene.folding().is_trivial()) continue;
    CAPTURE(seed, scene.schedule.name, scene.schedule.ranks, scene.topology.name,
            scene.topology.hosts.size(), topology::name_of(scene.topology.routing),
            scene.folding().copies());
    ++folded;
    const SimulatedRun once = scene.run(true);
    CHECK(once.simulated_ranks == scene.schedule.ranks / scene.folding().copies());
    check_same(once, scene.run(false));
  }
}

TEST_CASE("folding: what is declared alike is found alike", "[folding]") {
  // Declared classes are those of renumberings, which never map a colour onto another one.
  int folded = 0, coarser = 0;
  for (std::uint64_t seed = 1; folded < 300; ++seed) {
    REQUIRE(seed < 5000);
    Random random(seed);
    const Scene scene = random_scene(random);
    const Folding folding = scene.folding();
    if (folding.is_trivial()) continue;
    CAPTURE(seed, scene.schedule.name, scene.schedule.ranks, scene.topology.name);
    ++folded;
    const Refinement found(scene.schedule, scene.topology, scene.host_of_rank);
    for (Rank rank = 0; rank < scene.schedule.ranks; ++rank) {
      const Rank like = folding.rank_at(folding.place(rank));
      REQUIRE(found.rank(rank) == found.rank(like));
    }
    for (HostId host = 0; host < std::ssize(scene.topology.hosts); ++host)
      REQUIRE(found.node(host) == found.node(folding.like_host(host)));
    for (LinkId link = 0; link < std::ssize(scene.topology.links); ++link)
      REQUIRE(found.link(link) == found.link(folding.like_link(link)));
    coarser += found.rank_colours() < folding.simulated_ranks();
  }
  CAPTURE(coarser);
  CHECK(coarser > 0);  // some that are alike are not declared
}

TEST_CASE("folding: one slower link tells all ranks of a ring apart", "[folding]") {
  // And without it none, so that the check above is not one of a finder that finds nothing.
  for (const std::int32_t ranks : {3, 8, 13}) {
    topology::Topology network = star(ranks);
    const Schedule schedule = collectives::all_reduce_schedule(
        collectives::Algorithm::Ring, ranks, static_cast<std::uint64_t>(ranks) * 100, 0);
    std::vector<HostId> hosts;
    for (HostId host = 0; host < ranks; ++host)
      hosts.push_back(host);
    CHECK(Refinement(schedule, network, hosts).rank_colours() == 1);
    network.links[0].bytes_per_second /= 2;
    network.rule.reset();
    CHECK(Refinement(schedule, network, hosts).rank_colours() == ranks);
    const cost::Machine machine = free_machine();
    CHECK(Folding::find(schedule, cost_model(machine, ranks), network, hosts).is_trivial());
  }
}

TEST_CASE("folding: ragged chunks take between the smaller and the larger size", "[folding]") {
  // On an ideal network always: there times are sums and maxima of what steps take. Where flows
  // share, ranks in step can hinder one another in a way that unlike ones do not (and the other way
  // round): most are inside, some are not.
  int ideal = 0, shared = 0, outside = 0, far_outside = 0;
  for (std::uint64_t seed = 1; ideal < 200 || shared < 300; ++seed) {
    REQUIRE(seed < 10'000);
    Random random(seed);
    Scene scene = random_scene(random);
    const std::uint64_t ranks = static_cast<std::uint64_t>(scene.schedule.ranks);
    if (ranks < 2) continue;
    const auto algorithm =
        static_cast<collectives::Algorithm>(random.below(collectives::all_algorithms().size()));
    const auto end = [&](std::uint64_t count, bool fold) {
      scene.schedule = collectives::all_reduce_schedule(algorithm, scene.schedule.ranks, count, 0);
      return static_cast<double>(last_end(scene.run(fold)));
    };
    const std::uint64_t chunk = random.below(300);
    scene.options.fidelity = random.below(3) == 0 ? Fidelity::Ideal : Fidelity::Flow;
    scene.schedule =
        collectives::all_reduce_schedule(algorithm, scene.schedule.ranks, chunk * ranks, 0);
    if (scene.folding().is_trivial()) continue;
    const std::uint64_t ragged = chunk * ranks + 1 + random.below(ranks - 1);
    CAPTURE(seed, scene.schedule.name, ranks, ragged, scene.topology.name);
    const double exact = end(ragged, false);
    const double low = end(chunk * ranks, true);
    const double high = end((chunk + 1) * ranks, true);
    constexpr double kRounding = 100;  // picoseconds
    const bool is_inside = low <= exact + kRounding && exact <= high + kRounding;
    if (scene.options.fidelity == Fidelity::Ideal) {
      ++ideal;
      CHECK(is_inside);
    } else {
      ++shared;
      outside += !is_inside;
      far_outside += 1.05 * exact < low || exact > 1.05 * high;
    }
  }
  CAPTURE(shared, outside, far_outside);
  CHECK(outside <= shared / 2);
  CHECK(far_outside <= shared / 20);
}

}  // namespace lockstep::sim
