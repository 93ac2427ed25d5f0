// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/tree.h"

#include <optional>

#include "models/collectives/messages.h"

namespace lockstep::collectives {

using schedule::Operator;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;

std::uint32_t tree_slots(std::uint32_t children, Collective collective) {
  return (collective == Collective::AllReduce ? 2 : 1) * (children + 1);
}

void tree_steps(const TreeNode& node, Collective collective, const Slice& segment,
                std::uint8_t stream, StepIndex first, std::span<Step> slots) {
  if (segment.count == 0) return;
  std::uint32_t next = 0;
  // Each step waits for the one before it, but that children may all be sent to at once.
  std::optional<StepIndex> previous;
  const auto add = [&](const Step& step) {
    slots[next] = step;
    if (previous) slots[next].wait_for(*previous);
    return first + next++;
  };
  if (collective == Collective::AllReduce) {
    for (std::uint32_t c = 0; c < node.children; ++c)
      previous = add(receive_from(node.child[c], segment, Operator::Sum, stream));
    if (node.parent >= 0) previous = add(send_to(node.parent, segment, stream));
  }
  if (node.parent >= 0)
    previous = add(receive_from(node.parent, segment, Operator::Replace, stream));
  for (std::uint32_t c = node.children; c-- > 0;)  // those with the most to pass on first
    add(send_to(node.child[c], segment, stream));
}

}  // namespace lockstep::collectives
