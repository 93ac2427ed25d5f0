// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/renumbered.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/schedule/facts.h"
#include "models/schedule/verify.h"

namespace lockstep::schedule {

TEST_CASE("renumbered: every all-reduce still is one, and the pairs have moved", "[renumbered]") {
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(collectives::name_of(algorithm), seed);
      Random random(seed);
      const auto ranks = static_cast<std::int32_t>(2 + random.below(12));
      std::vector<Rank> number(static_cast<std::size_t>(ranks));
      std::iota(number.begin(), number.end(), 0);
      random.shuffle(number);
      const Schedule before = collectives::all_reduce_schedule(algorithm, ranks, 101, 7);
      Schedule after = before;
      after.fragments[0].steps = renumber(before.fragments[0].steps, number);
      CHECK(verify(after, {.slice = {0, 0, 101}}).empty());
      for (Rank rank = 0; rank < ranks; ++rank) {
        const RankFacts old_facts = rank_facts(before, rank);
        const RankFacts new_facts = rank_facts(after, number[static_cast<std::size_t>(rank)]);
        REQUIRE(old_facts.sent.size() == new_facts.sent.size());
        for (const PairBytes& pair : old_facts.sent)
          CHECK(std::any_of(new_facts.sent.begin(), new_facts.sent.end(), [&](const PairBytes& p) {
            return p.peer == number[static_cast<std::size_t>(pair.peer)] && p.bytes == pair.bytes &&
                   p.messages == pair.messages;
          }));
      }
    }
}

}  // namespace lockstep::schedule
