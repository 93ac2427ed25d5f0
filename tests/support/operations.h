// SPDX-License-Identifier: Apache-2.0
// What algorithms can be asked to do: all that the tests go through.
#pragma once

#include <string>
#include <vector>

#include "models/collectives/algorithm.h"

namespace lockstep::support {

/// An algorithm and something that it can do.
struct Case {
  collectives::Algorithm algorithm;
  collectives::Operation operation;

  std::string name() const;
};

/// Every algorithm and all that it can do with so many ranks and elements, with several divisions
/// into groups, numbers of servers, and roots where those matter.
std::vector<Case> cases_for(std::int32_t ranks, std::uint64_t count, std::uint64_t segment);

/// Consecutive ranks, `size` in a group.
std::vector<std::int32_t> consecutive_groups(std::int32_t ranks, std::int32_t size);

/// The element counts that algorithms trip over: 0, 1, ranks−1, ranks, ranks+1, and 1000.
std::vector<std::uint64_t> counts_for(std::int32_t ranks);

}  // namespace lockstep::support
