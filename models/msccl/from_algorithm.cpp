// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "models/base/errors.h"
#include "models/msccl/from_schedule.h"
#include "models/msccl/grid.h"

namespace lockstep::msccl {

namespace {

/// A number of elements that has whatever an algorithm may cut the data into for a divisor, one
/// cut within another: ranks, a power of two of them, groups, servers; and some messages a chunk.
std::uint64_t even_count(const collectives::Operation& operation) {
  const auto ranks = static_cast<std::uint64_t>(operation.ranks);
  std::map<std::int32_t, std::uint64_t> members;
  for (const std::int32_t group : operation.groups)
    ++members[group];
  std::uint64_t of_groups = 1;
  for (const auto& [group, size] : members)
    of_groups = std::lcm(of_groups, size);
  constexpr std::uint64_t kUpToSixteen = 720720;  // the least multiple of all of them
  return ranks * std::bit_floor(ranks) * kUpToSixteen * of_groups *
         static_cast<std::uint64_t>(std::max(1, operation.servers));
}

/// The operation on so many elements, its messages longer in proportion.
collectives::Operation scaled(collectives::Operation operation, std::uint64_t count) {
  if (operation.segment_elements > 0 && operation.data.count > 0)
    operation.segment_elements = static_cast<std::uint64_t>(
        std::ceil(static_cast<double>(operation.segment_elements) * static_cast<double>(count) /
                  static_cast<double>(operation.data.count)));
  operation.data = {0, 0, count};
  return operation;
}

std::int32_t chunks_of(collectives::Algorithm algorithm, const collectives::Operation& operation) {
  const schedule::Schedule schedule = make_schedule(algorithm, operation);
  const schedule::Contract contract = contract_of(operation);
  return Grid(schedule::Unrolled(schedule), contract).chunks();
}

}  // namespace

Program make_program(collectives::Algorithm algorithm, const collectives::Operation& operation) {
  const std::uint64_t count = even_count(operation);
  const collectives::Operation even = scaled(operation, count);
  const schedule::Schedule schedule = make_schedule(algorithm, even);
  // What is cut evenly is cut into as many chunks when there is twice as much.
  if (chunks_of(algorithm, even) != chunks_of(algorithm, scaled(operation, 2 * count)))
    throw ConfigError(schedule.name,
                      "is not cut into chunks of one size, however many elements there are: "
                      "expected fewer messages a chunk");
  return make_program(schedule, contract_of(even));
}

}  // namespace lockstep::msccl
