// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/hierarchical.h"

#include <algorithm>

#include "models/collectives/two_level.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

std::shared_ptr<const schedule::StepSource> make_hierarchical(const Operation& operation) {
  return make_two_level(operation, Within::Direct);
}

Time hierarchical_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  std::vector<std::int32_t> sizes{operation.groups.empty() ? operation.ranks : 0};
  for (const std::int32_t group : operation.groups) {
    if (group >= static_cast<std::int32_t>(sizes.size()))
      sizes.resize(static_cast<std::size_t>(group) + 1);
    ++sizes[static_cast<std::size_t>(group)];
  }
  const auto groups = static_cast<std::int32_t>(sizes.size());
  const auto largest = static_cast<std::uint64_t>(*std::max_element(sizes.begin(), sizes.end()));
  const std::uint64_t shard = schedule::ceiling_divide(operation.data.count, largest);
  Time time = 2 * (groups - 1) *
              network.message(schedule::ceiling_divide(shard, static_cast<std::uint64_t>(groups)));
  if (largest > 1) time += 2 * network.message(shard);
  return time;
}

}  // namespace lockstep::collectives
