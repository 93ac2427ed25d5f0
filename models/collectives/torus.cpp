// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/torus.h"

#include "models/collectives/ring.h"
#include "models/collectives/two_level.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

/// Y: the largest divisor that is no larger than the root.
std::int32_t rows_of(std::int32_t ranks) {
  std::int32_t rows = 1;
  for (std::int32_t divisor = 2; divisor <= ranks / divisor; ++divisor)
    if (ranks % divisor == 0) rows = divisor;
  return rows;
}

}  // namespace

std::shared_ptr<const schedule::StepSource> make_torus(const Operation& operation) {
  const std::int32_t rows = rows_of(operation.ranks);
  if (rows == 1) return make_ring(operation);
  Operation in_rows = operation;
  in_rows.groups.clear();
  for (Rank rank = 0; rank < operation.ranks; ++rank)
    in_rows.groups.push_back(rank / (operation.ranks / rows));
  return make_two_level(in_rows, Within::Ring);
}

Time torus_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  const auto y = static_cast<std::uint64_t>(rows_of(operation.ranks));
  const std::uint64_t x = static_cast<std::uint64_t>(operation.ranks) / y;
  const std::uint64_t part = schedule::ceiling_divide(operation.data.count, x);
  return 2 * static_cast<std::int64_t>(x - 1) * network.message(part) +
         2 * static_cast<std::int64_t>(y - 1) * network.message(schedule::ceiling_divide(part, y));
}

}  // namespace lockstep::collectives
