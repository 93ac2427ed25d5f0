// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/candidates.h"

#include <algorithm>
#include <utility>

namespace lockstep::collectives {

namespace {

constexpr std::uint64_t kFloatBytes = 4;

/// Segments that are smaller than the largest message of the algorithm, and one that is not.
std::vector<std::uint64_t> segment_sizes(Algorithm algorithm, const Operation& operation) {
  std::uint64_t largest = operation.data.count * kFloatBytes;
  if (algorithm == Algorithm::Ring || algorithm == Algorithm::Bcube ||
      algorithm == Algorithm::ParameterServer || algorithm == Algorithm::Torus)
    largest /= static_cast<std::uint64_t>(operation.ranks);
  std::vector<std::uint64_t> sizes{0};
  for (std::uint64_t size = std::uint64_t{4} << 20; size >= std::uint64_t{64} << 10; size /= 4)
    if (size < largest) sizes.push_back(size);
  return sizes;
}

std::vector<Choice> all_choices(const Operation& operation, std::int64_t segment_bytes) {
  std::vector<Choice> choices;
  for (const Algorithm algorithm : all_algorithms()) {
    if (!is_legal(algorithm, operation.collective)) continue;
    std::vector<std::int32_t> servers{0};
    if (algorithm == Algorithm::ParameterServer && operation.ranks > 1) servers.push_back(1);
    const std::vector<std::uint64_t> sizes =
        segment_bytes >= 0 ? std::vector{static_cast<std::uint64_t>(segment_bytes)}
                           : segment_sizes(algorithm, operation);
    for (const std::int32_t count : servers)
      for (const std::uint64_t size : sizes)
        choices.push_back({algorithm, size, count});
  }
  return choices;
}

}  // namespace

std::string describe(const Choice& choice) {
  std::string text = name_of(choice.algorithm);
  if (choice.algorithm == Algorithm::ParameterServer)
    text += choice.servers == 0 ? ", all ranks serve"
                                : ", " + std::to_string(choice.servers) + " server" +
                                      (choice.servers == 1 ? "" : "s");
  if (choice.segment_bytes > 0)
    text += ", segments of " + std::to_string(choice.segment_bytes >> 10) + " KiB";
  return text;
}

Operation with(Operation operation, const Choice& choice) {
  operation.segment_elements = choice.segment_bytes / kFloatBytes;
  operation.servers = choice.servers;
  return operation;
}

std::vector<Choice> candidates(const Operation& operation, std::int64_t segment_bytes,
                               const IdealNetwork& network, double spread) {
  std::vector<std::pair<Time, Choice>> timed;
  for (const Choice& choice : all_choices(operation, segment_bytes))
    timed.emplace_back(closed_form(choice.algorithm, with(operation, choice), network), choice);
  std::stable_sort(timed.begin(), timed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Choice> choices;
  for (const auto& [time, choice] : timed)
    if (time.seconds() <= spread * timed.front().first.seconds()) choices.push_back(choice);
  return choices;
}

}  // namespace lockstep::collectives
