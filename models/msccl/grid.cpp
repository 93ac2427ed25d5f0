// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/grid.h"

#include <numeric>

#include "models/base/errors.h"
#include "models/schedule/pieces.h"

namespace lockstep::msccl {

using schedule::ceiling_divide;
using schedule::Collective;
using schedule::Slice;
using schedule::Verb;

std::uint64_t elements_of(const schedule::Step& step) {
  return step.verb == Verb::Send ? step.from.count : step.into.count;
}

bool does_nothing(const schedule::Step& step) {
  return step.verb == Verb::Nothing || elements_of(step) == 0;
}

Grid::Grid(const schedule::Unrolled& unrolled, const schedule::Contract& contract)
    : contract_(contract), elements_(contract.slice.count) {
  const schedule::Schedule& schedule = unrolled.schedule();
  if (elements_ == 0) throw ConfigError(schedule.name, "has no data, expected some elements");
  for (const schedule::Step& step : unrolled.steps()) {
    if (does_nothing(step)) continue;
    if (step.verb != Verb::Recv) cut(step.from);
    if (step.verb != Verb::Send) cut(step.into);
  }
  if (has_shares(contract.collective)) {
    const auto ranks = static_cast<std::uint64_t>(schedule.ranks);
    if (contract.slice.count % ranks != 0)
      throw ConfigError(schedule.name, "has shares of different size, expected a multiple of " +
                                           std::to_string(ranks) + " elements, has " +
                                           std::to_string(contract.slice.count));
    elements_ = std::gcd(elements_, contract.slice.count / ranks);
  }
  chunks_ = contract.slice.count / elements_;
  for (std::uint32_t b = 0; b < schedule.buffers.size(); ++b) {
    first_scratch_.push_back(scratch_);
    if (b != contract.buffer) scratch_ += ceiling_divide(schedule.buffers[b].count, elements_);
  }
  if (chunks_ > kMostProgramChunks || scratch_ > kMostProgramChunks)
    throw ConfigError(schedule.name, "is cut unevenly: it would take " + std::to_string(chunks_) +
                                         " chunks of one size, at most " +
                                         std::to_string(kMostProgramChunks) + " are possible");
}

void Grid::cut(const Slice& slice) {
  const bool is_data = slice.buffer == contract_.buffer;
  const std::uint64_t first = is_data ? slice.first - contract_.slice.first : slice.first;
  elements_ = std::gcd(elements_, std::gcd(first, slice.count));
}

Place Grid::place(const Slice& slice) const {
  if (slice.buffer == contract_.buffer)
    return {data_buffer(), count(slice.first - contract_.slice.first)};
  return {Buffer::Scratch,
          static_cast<std::int32_t>(first_scratch_[slice.buffer]) + count(slice.first)};
}

Buffer Grid::data_buffer() const {
  const bool is_input = contract_.collective == Collective::AllReduce ||
                        contract_.collective == Collective::ReduceScatter;
  return is_input ? Buffer::Input : Buffer::Output;
}

}  // namespace lockstep::msccl
