// SPDX-License-Identifier: Apache-2.0
#include "tests/support/operations.h"

#include <set>

namespace lockstep::support {

using collectives::Algorithm;
using collectives::Collective;
using collectives::Operation;

namespace {

std::int32_t rounded_up_root(std::int32_t ranks) {
  std::int32_t root = 1;
  while (root * root < ranks)
    ++root;
  return root;
}

/// Each division into groups is there once.
std::set<std::vector<std::int32_t>> divisions(std::int32_t ranks) {
  std::set<std::vector<std::int32_t>> all{{}};
  all.insert(consecutive_groups(ranks, rounded_up_root(ranks)));  // the last one may be smaller
  all.insert(consecutive_groups(ranks, 1));
  std::vector<std::int32_t> dealt;    // round robin, as scattered ranks are
  std::vector<std::int32_t> growing;  // sizes 1, 2, 3, …
  for (Rank rank = 0, left = 1, group = 0; rank < ranks; ++rank) {
    dealt.push_back(rank % std::min(3, ranks));
    growing.push_back(group);
    if (--left == 0) left = ++group + 1;
  }
  all.insert(dealt);
  all.insert(growing);
  return all;
}

}  // namespace

std::string Case::name() const {
  std::string text = name_of(algorithm) + " " + name_of(operation.collective) + ", " +
                     std::to_string(operation.ranks) + " ranks, " +
                     std::to_string(operation.data.count) + " elements, segments of " +
                     std::to_string(operation.segment_elements);
  if (algorithm == Algorithm::ParameterServer)
    text += ", " + std::to_string(operation.servers) + " servers";
  if (operation.collective == Collective::Broadcast)
    text += ", root " + std::to_string(operation.root);
  for (std::size_t rank = 0; rank < operation.groups.size(); ++rank)
    text += (rank == 0 ? ", groups " : " ") + std::to_string(operation.groups[rank]);
  return text;
}

std::vector<Case> cases_for(std::int32_t ranks, std::uint64_t count, std::uint64_t segment) {
  std::vector<Case> cases;
  for (const Algorithm algorithm : collectives::all_algorithms())
    for (const Collective collective : collectives::all_collectives()) {
      if (!is_legal(algorithm, collective)) continue;
      Operation operation;
      operation.collective = collective;
      operation.ranks = ranks;
      operation.data.count = count;
      operation.segment_elements = segment;
      if (algorithm == Algorithm::Hierarchical) {
        for (const std::vector<std::int32_t>& groups : divisions(ranks)) {
          operation.groups = groups;
          cases.push_back({algorithm, operation});
        }
      } else if (algorithm == Algorithm::ParameterServer) {
        for (const std::int32_t servers : std::set{0, 1, (ranks + 1) / 2, ranks - 1}) {
          operation.servers = servers;
          cases.push_back({algorithm, operation});
        }
      } else if (collective == Collective::Broadcast) {
        for (const Rank root : std::set{0, ranks / 2, ranks - 1}) {
          operation.root = root;
          cases.push_back({algorithm, operation});
        }
      } else {
        cases.push_back({algorithm, operation});
      }
    }
  return cases;
}

std::vector<std::int32_t> consecutive_groups(std::int32_t ranks, std::int32_t size) {
  std::vector<std::int32_t> groups;
  for (Rank rank = 0; rank < ranks; ++rank)
    groups.push_back(rank / size);
  return groups;
}

std::vector<std::uint64_t> counts_for(std::int32_t ranks) {
  const auto p = static_cast<std::uint64_t>(ranks);
  const std::set<std::uint64_t> counts{0, 1, p - 1, p, p + 1, 1000};
  return {counts.begin(), counts.end()};
}

}  // namespace lockstep::support
