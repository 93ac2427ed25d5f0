// SPDX-License-Identifier: Apache-2.0
// Small schedules written by hand, and what verify says about them.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"

namespace lockstep::support {

inline schedule::Step send(Rank to, schedule::Slice from, std::uint8_t stream = 0) {
  return {.verb = schedule::Verb::Send, .stream = stream, .target = to, .from = from};
}
inline schedule::Step receive(Rank from, schedule::Slice into, schedule::Operator combine,
                              std::uint8_t stream = 0) {
  return {.verb = schedule::Verb::Recv,
          .combine = combine,
          .stream = stream,
          .target = from,
          .into = into};
}
inline schedule::Step after(schedule::Step step,
                            std::initializer_list<schedule::StepIndex> before) {
  for (const schedule::StepIndex index : before)
    step.wait_for(index);
  return step;
}

/// By rank, its steps.
using Lists = std::vector<std::vector<schedule::Step>>;

/// All of buffer 0.
inline constexpr schedule::Slice kData{0, 0, 5};

/// Three ranks: 1 and 2 send their data to 0, which adds them and sends the sums back.
inline Lists gather_and_scatter() {
  using schedule::Operator;
  return {{receive(1, kData, Operator::Sum), after(receive(2, kData, Operator::Sum), {0}),
           after(send(1, kData), {1}), after(send(2, kData), {1})},
          {send(0, kData), after(receive(0, kData, Operator::Replace), {0})},
          {send(0, kData), after(receive(0, kData, Operator::Replace), {0})}};
}

/// One fragment, "sum", of these lists; buffers "data" and "scratch" of five elements each.
inline schedule::Schedule schedule_of(const Lists& lists) {
  schedule::Schedule result;
  result.ranks = static_cast<std::int32_t>(lists.size());
  result.buffers = {{.name = "data", .count = 5}, {.name = "scratch", .count = 5}};
  result.fragments = {
      {.name = "sum", .steps = std::make_shared<schedule::StepList>(lists), .after = {}}};
  return result;
}

using Texts = std::vector<std::string>;

/// The messages of all violations.
inline Texts complaints(const schedule::Schedule& schedule, const schedule::Contract& contract) {
  Texts messages;
  for (const schedule::Violation& violation : schedule::verify(schedule, contract))
    messages.push_back(violation.message);
  return messages;
}
inline Texts complaints(const schedule::Schedule& schedule) {
  return complaints(schedule, {.slice = kData});
}

}  // namespace lockstep::support
