// SPDX-License-Identifier: Apache-2.0
// Up and down a tree: what binomial tree and double tree are made of.
#pragma once

#include <array>

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// A rank's place in a tree.
struct TreeNode {
  Rank parent = -1;  // −1: it is the root
  std::uint32_t children = 0;
  std::array<Rank, 31> child{};  // those with the lowest subtrees first

  void add_child(Rank rank) { child[children++] = rank; }
};

/// The slots of a node with so many children in tree_steps().
std::uint32_t tree_slots(std::uint32_t children, Collective collective);

/// Fills `slots`, the first of which is step `first` of its fragment, with what the node does to
/// one segment: it adds up what its children send, hands the sum to its parent, gets the result
/// from there and passes it on. A broadcast is the second half only. Contributions are added in the
/// order of the children.
void tree_steps(const TreeNode& node, Collective collective, const schedule::Slice& segment,
                std::uint8_t stream, schedule::StepIndex first, std::span<schedule::Step> slots);

}  // namespace lockstep::collectives
