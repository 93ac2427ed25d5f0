// SPDX-License-Identifier: Apache-2.0
// Every algorithm: proven, run in memory, and its bytes counted.
#include "models/collectives/algorithm.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "models/base/errors.h"
#include "models/schedule/facts.h"
#include "models/schedule/verify.h"
#include "tests/support/in_memory.h"
#include "tests/support/operations.h"

namespace lockstep::collectives {
namespace {

using schedule::Schedule;

using support::Case;

/// Calls visit(case) for every algorithm and all that it can do.
template <typename Visit>
void for_all(std::int32_t least_ranks, std::int32_t most_ranks,
             std::initializer_list<std::uint64_t> segments, Visit visit) {
  for (std::int32_t ranks = least_ranks; ranks <= most_ranks; ++ranks)
    for (const std::uint64_t count : support::counts_for(ranks))
      for (const std::uint64_t segment : segments) {
        if (segment == 1 && count > 100) continue;  // nothing new, but slow
        for (const Case& one : support::cases_for(ranks, count, segment)) {
          INFO(one.name());
          visit(one);
        }
      }
}

std::string first_complaint(const Case& one) {
  const auto violations =
      schedule::verify(make_schedule(one.algorithm, one.operation), contract_of(one.operation));
  return violations.empty() ? "" : violations.front().message;
}

/// Element i of rank r before: (r + 1)·(i mod 50 + 1). At most 17·50 = 850, so sums are exact.
float contribution(Rank rank, std::uint64_t i) {
  return static_cast<float>((rank + 1) * static_cast<int>(i % 50 + 1));
}

/// What the element should be afterwards, on a rank to which the collective promises something.
float promised(const Operation& operation, std::uint64_t i) {
  switch (operation.collective) {
    case Collective::AllReduce:
    case Collective::ReduceScatter:
      break;
    case Collective::AllGather:
      for (Rank owner = 0;; ++owner)
        if (i < chunk_of(operation.data, owner, operation.ranks).end())
          return contribution(owner, i);
    case Collective::Broadcast:
      return contribution(operation.root, i);
  }
  // Σ (r + 1) over r < p is p(p + 1)/2.
  return static_cast<float>(operation.ranks * (operation.ranks + 1) / 2 *
                            static_cast<int>(i % 50 + 1));
}

}  // namespace

TEST_CASE("collectives: every algorithm is proven, for any count and segment", "[collectives]") {
  for_all(1, 17, {0, 1, 7, 64}, [](const Case& one) { CHECK(first_complaint(one) == ""); });
}

TEST_CASE("collectives: every algorithm is proven up to 64 ranks, at the sizes of jobs too",
          "[collectives]") {
  constexpr std::uint64_t kLarge = (1 << 20) + 7;
  for (std::int32_t ranks = 1; ranks <= 64; ++ranks) {
    std::vector<std::uint64_t> counts = support::counts_for(ranks);
    counts.push_back(kLarge);
    for (const std::uint64_t count : counts)
      // 64 Ki elements are the 256 KiB of a job that does not say otherwise.
      for (const std::uint64_t segment : {count == kLarge ? 20'000u : 24u, 64u << 10})
        for (const Case& one : support::cases_for(ranks, count, segment)) {
          INFO(one.name());
          CHECK(first_complaint(one) == "");
        }
  }
}

TEST_CASE("collectives: every rank ends with what is promised, whatever the order of events",
          "[collectives]") {
  for_all(1, 13, {0, 1, 7, 64}, [](const Case& one) {
    const Operation& operation = one.operation;
    const Schedule schedule = make_schedule(one.algorithm, operation);
    const std::uint64_t count = operation.data.count;
    const std::uint64_t seed = 31 * static_cast<std::uint64_t>(operation.ranks) + count;
    INFO("seed " << seed);
    support::InMemoryRun run(schedule, seed,
                             seed % 2 == 0 ? support::Sends::Eager : support::Sends::Rendezvous);
    for (Rank rank = 0; rank < operation.ranks; ++rank)
      for (std::uint64_t i = 0; i < count; ++i)
        run.buffer(rank, 0)[i] = contribution(rank, i);
    run.run();
    for (Rank rank = 0; rank < operation.ranks; ++rank) {
      const schedule::Slice slice = operation.collective == Collective::ReduceScatter
                                        ? chunk_of(operation.data, rank, operation.ranks)
                                        : operation.data;
      std::uint64_t wrong = 0;
      for (std::uint64_t i = slice.first; i < slice.end(); ++i)
        wrong += run.buffer(rank, 0)[i] != promised(operation, i) ? 1 : 0;
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("collectives: all ranks hold the same bits, whatever the order of events",
          "[collectives]") {
  for_all(1, 9, {0, 7, 64}, [](const Case& one) {
    const Operation& operation = one.operation;
    if (operation.collective != Collective::AllReduce) return;
    const Schedule schedule = make_schedule(one.algorithm, operation);
    const std::uint64_t count = operation.data.count;
    const std::uint64_t seed = 77 * static_cast<std::uint64_t>(operation.ranks) + count;
    INFO("seed " << seed);
    std::vector<float> first;
    for (std::uint64_t order = 0; order < 2; ++order) {
      Random values(seed);
      support::InMemoryRun run(schedule, seed + order);
      for (Rank rank = 0; rank < operation.ranks; ++rank)
        for (float& value : run.buffer(rank, 0))
          value = static_cast<float>(values.normal());
      run.run();
      if (order == 0) first = run.buffer(0, 0);
      for (Rank rank = 0; rank < operation.ranks; ++rank) {
        const std::vector<float>& result = run.buffer(rank, 0);
        REQUIRE(result.size() == first.size());
        CHECK((count == 0 || std::memcmp(result.data(), first.data(), count * sizeof(float)) == 0));
      }
    }
  });
}

TEST_CASE("collectives: a schedule can be run again", "[collectives]") {
  for (const Algorithm algorithm : all_algorithms()) {
    const Schedule schedule = all_reduce_schedule(algorithm, 6, 50, 4);
    support::InMemoryRun run(schedule, 5);
    for (Rank rank = 0; rank < 6; ++rank)
      run.buffer(rank, 0).assign(50, 1);
    run.run();
    run.run();
    // 6 ones, then 6 sixes.
    for (Rank rank = 0; rank < 6; ++rank)
      CHECK(run.buffer(rank, 0) == std::vector<float>(50, 36));
  }
}

namespace {

std::uint64_t bytes_sent_by_all(const Schedule& schedule) {
  std::uint64_t bytes = 0;
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    bytes += schedule::rank_facts(schedule, rank).bytes_sent;
  return bytes;
}

/// Whether it sends 2(p−1)/p of the data from every rank, the least possible for an all-reduce, or
/// half of that for half of the work.
bool is_bandwidth_optimal(const Case& one) {
  switch (one.algorithm) {
    case Algorithm::Ring:
    case Algorithm::HalvingDoubling:
    case Algorithm::Torus:
    case Algorithm::Bcube:
      return true;
    case Algorithm::ParameterServer:  // all ranks serve
      return one.operation.servers % one.operation.ranks == 0;
    case Algorithm::Hierarchical: {  // equal groups
      std::map<std::int32_t, int> sizes;
      for (const std::int32_t group : one.operation.groups)
        ++sizes[group];
      return std::all_of(sizes.begin(), sizes.end(),
                         [&](const auto& group) { return group.second == sizes[0]; });
    }
    case Algorithm::RecursiveDoubling:
    case Algorithm::BinomialTree:
    case Algorithm::DoubleTree:
      break;
  }
  return false;
}

}  // namespace

TEST_CASE("collectives: bandwidth-optimal algorithms send the least possible from every rank",
          "[collectives]") {
  // 60 elements of 4 bytes a chunk, 2(p−1) chunks, or p−1 for a reduce-scatter or all-gather.
  for (std::int32_t ranks = 1; ranks <= 17; ++ranks)
    for (const std::uint64_t segment : {0, 7, 64})
      for (const Case& one :
           support::cases_for(ranks, 60 * static_cast<std::uint64_t>(ranks), segment)) {
        if (!is_bandwidth_optimal(one)) continue;
        INFO(one.name());
        const std::uint64_t chunks = static_cast<std::uint64_t>(ranks - 1) *
                                     (one.operation.collective == Collective::AllReduce ? 2 : 1);
        const Schedule schedule = make_schedule(one.algorithm, one.operation);
        support::InMemoryRun run(schedule, 1);
        run.run();
        for (Rank rank = 0; rank < ranks; ++rank) {
          const schedule::RankFacts facts = schedule::rank_facts(schedule, rank);
          CHECK(facts.bytes_sent == chunks * 60 * 4);
          CHECK(facts.bytes_received == chunks * 60 * 4);
          CHECK(run.bytes_sent(rank) == chunks * 60 * 4);
        }
      }
}

TEST_CASE("collectives: all ranks together send each element to each rank once, and back",
          "[collectives]") {
  // 2(p−1)·n for an all-reduce by whatever algorithm, (p−1)·n for half of it, however ragged the
  // chunks; recursive doubling alone sends more.
  for_all(1, 17, {0, 7}, [](const Case& one) {
    if (one.algorithm == Algorithm::RecursiveDoubling) return;
    const std::uint64_t ways = one.operation.collective == Collective::AllReduce ? 2 : 1;
    CHECK(bytes_sent_by_all(make_schedule(one.algorithm, one.operation)) ==
          ways * static_cast<std::uint64_t>(one.operation.ranks - 1) * 4 *
              one.operation.data.count);
  });
}

TEST_CASE("collectives: the double tree makes no rank send or receive more than 2n",
          "[collectives]") {
  for (std::int32_t ranks = 2; ranks <= 70; ++ranks) {
    const Schedule schedule = all_reduce_schedule(Algorithm::DoubleTree, ranks, 1000, 10);
    for (Rank rank = 0; rank < ranks; ++rank) {
      INFO(ranks << " ranks, rank " << rank);
      CHECK(schedule::rank_facts(schedule, rank).bytes_sent <= 2 * 4 * 1000);
      CHECK(schedule::rank_facts(schedule, rank).bytes_received <= 2 * 4 * 1000);
    }
  }
}

TEST_CASE("collectives: as many messages follow one another as the algorithms say",
          "[collectives]") {
  const auto rounds = [](Algorithm algorithm, std::int32_t ranks,
                         std::vector<std::int32_t> groups = {}) {
    Operation operation;
    operation.ranks = ranks;
    operation.data.count = 5000;
    operation.groups = std::move(groups);
    return schedule::critical_rounds(make_schedule(algorithm, operation));
  };
  for (std::int32_t ranks = 2; ranks <= 17; ++ranks) {
    INFO(ranks << " ranks");
    const auto p = static_cast<std::uint32_t>(ranks);
    const auto log = static_cast<std::uint32_t>(std::bit_width(p - 1));  // ⌈lg p⌉
    CHECK(rounds(Algorithm::Ring, ranks) == 2 * (p - 1));
    CHECK(rounds(Algorithm::HalvingDoubling, ranks) <= 2 * log);
    CHECK(rounds(Algorithm::DoubleTree, ranks) == 2 * log);
    CHECK(rounds(Algorithm::BinomialTree, ranks) == 2 * (std::bit_width(p) - 1));
    CHECK(rounds(Algorithm::ParameterServer, ranks) == 2);
    CHECK(rounds(Algorithm::Hierarchical, ranks) == 2);  // one group
  }
  CHECK(rounds(Algorithm::HalvingDoubling, 16) == 8);
  CHECK(rounds(Algorithm::HalvingDoubling, 7) == 6);  // 7 → 4 → 2 → 1 blocks
  CHECK(rounds(Algorithm::HalvingDoubling, 12) == 6);  // 12 → 6 → 3 → 2 → 1, the last two at once
  CHECK(rounds(Algorithm::Torus, 12) == 10);           // 4 × 3: 2·3 + 2·2
  CHECK(rounds(Algorithm::Torus, 16) == 12);           // 4 × 4: 2·3 + 2·3
  CHECK(rounds(Algorithm::Torus, 13) == 24);           // a ring
  CHECK(rounds(Algorithm::Bcube, 16) == 4);            // 4 · 4
  CHECK(rounds(Algorithm::Bcube, 12) == 4);            // 4 · 3
  CHECK(rounds(Algorithm::Bcube, 13) == 2);            // directly
  // Four groups of three: one message, 2·3 round the ring, one message.
  CHECK(rounds(Algorithm::Hierarchical, 12, support::consecutive_groups(12, 3)) == 8);
}

TEST_CASE("collectives: recursive doubling has as few rounds as it can", "[collectives]") {
  // Powers of two: lg p exchanges, 4n bytes each. Otherwise the first 2r ranks, r = p − 2^⌊lg p⌋,
  // are folded in pairs.
  const std::uint64_t count = 10;
  for (const std::int32_t ranks : {2, 4, 8, 16}) {
    const Schedule schedule = all_reduce_schedule(Algorithm::RecursiveDoubling, ranks, count, 0);
    std::uint32_t doublings = 0;
    while ((1 << doublings) < ranks)
      ++doublings;
    CHECK(schedule::critical_rounds(schedule) == doublings);
    CHECK(schedule::rank_facts(schedule, ranks - 1).bytes_sent == doublings * 4 * count);
  }
  // 7 ranks, r = 3: ranks 0, 2 and 4 send once; 1, 3 and 5 twice to partners and once back; 6
  // twice.
  const Schedule seven = all_reduce_schedule(Algorithm::RecursiveDoubling, 7, count, 0);
  const std::vector<std::uint64_t> messages{1, 3, 1, 3, 1, 3, 2};
  for (Rank rank = 0; rank < 7; ++rank)
    CHECK(schedule::rank_facts(seven, rank).bytes_sent ==
          4 * count * messages[static_cast<std::size_t>(rank)]);
  // Fold, two exchanges, unfold: 0 → 1 → 3 → 6 …: numbers 0, 1, 2, 3 are ranks 1, 3, 5, 6, and the
  // exchanges lead from number 1 (folded) over 0 to 2 (folded), so that four messages follow.
  CHECK(schedule::critical_rounds(seven) == 4);
}

TEST_CASE("collectives: scratch is as large as the algorithms say", "[collectives]") {
  CHECK(scratch_elements(Algorithm::Ring, 1000) == 0);
  CHECK(scratch_elements(Algorithm::RecursiveDoubling, 1000) == 1000);
}

TEST_CASE("collectives: an algorithm is found by its name, and a near miss gets a suggestion",
          "[collectives]") {
  for (const Algorithm algorithm : all_algorithms())
    CHECK(parse_algorithm(name_of(algorithm), "--algorithm") == algorithm);
  CHECK_THROWS_WITH(parse_algorithm("rign", "--algorithm"),
                    Catch::StartsWith("--algorithm: ") && Catch::Contains("\"ring\""));
}

TEST_CASE("collectives: what an algorithm cannot do is refused with those that can",
          "[collectives]") {
  for (const Collective collective : all_collectives())
    CHECK(parse_collective(name_of(collective), "--collective") == collective);
  check_legal(Algorithm::Ring, Collective::AllGather, "--algorithm");
  CHECK_THROWS_WITH(
      check_legal(Algorithm::RecursiveDoubling, Collective::ReduceScatter, "--algorithm"),
      Catch::StartsWith("--algorithm: recursive-doubling is no algorithm for reduce-scatter, "
                        "expected one of ring"));
}

}  // namespace lockstep::collectives
