// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/double_tree.h"

#include <bit>

#include "models/collectives/tree.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::piece_count;
using schedule::piece_of;
using schedule::Slice;
using schedule::Step;

/// ⌈lg p⌉: how deep the trees are.
std::uint32_t depth_of(std::int32_t ranks) {
  return static_cast<std::uint32_t>(std::bit_width(static_cast<std::uint32_t>(ranks - 1)));
}

class DoubleTree final : public schedule::StepSource {
 public:
  explicit DoubleTree(const Operation& operation)
      : collective_(operation.collective),
        ranks_(operation.ranks),
        root_(operation.collective == Collective::Broadcast ? operation.root : 0),
        halves_{piece_of(operation.data, 0, 2), piece_of(operation.data, 1, 2)},
        stream_(operation.stream),
        segments_(piece_count(halves_[0].count, operation.segment_elements)) {}

  /// A round is a segment of each half. The result of one is back at the leaves after as many
  /// others as there are levels, up and down.
  Shape shape(Rank) const override {
    return {segments_, 2 * slots_of_tree(), 2 * depth_of(ranks_) + 2};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    for (std::uint32_t tree = 0; tree < 2; ++tree)
      tree_steps(node(rank, tree), collective_, piece_of(halves_[tree], round, segments_),
                 static_cast<std::uint8_t>(stream_ + tree), (2 * round + tree) * slots_of_tree(),
                 slots.subspan(tree * slots_of_tree(), slots_of_tree()));
  }

 private:
  std::uint32_t slots_of_tree() const { return tree_slots(2, collective_); }

  TreeNode node(Rank rank, std::uint32_t tree) const {
    const std::int32_t last = ranks_ - 1;
    // Of the second tree; a mirror image is its own inverse, a shift by one is not.
    const auto position_of = [&](std::int32_t number) {
      return last % 2 == 0 ? ranks_ - number : number % last + 1;
    };
    const auto number_at = [&](std::int32_t position) {
      return last % 2 == 0 ? ranks_ - position : (position + last - 2) % last + 1;
    };
    const auto rank_at = [&](std::int32_t position) {
      const std::int32_t number = tree == 0 || position == 0 ? position : number_at(position);
      return (number + root_) % ranks_;
    };
    const std::int32_t number = (rank - root_ + ranks_) % ranks_;
    const std::int32_t position = tree == 0 || number == 0 ? number : position_of(number);
    TreeNode node;
    if (position == 0) {
      if (last > 0) node.add_child(rank_at(top()));
      return node;
    }
    // Below a position with lowest bit b are those less than b away; it halves them on either side.
    const std::int32_t bit = position & -position;
    const std::int32_t above = (position ^ bit) | 2 * bit;
    if (position == top())
      node.parent = rank_at(0);
    else
      node.parent = rank_at(above <= last ? above : position ^ bit);
    if (bit > 1) node.add_child(rank_at(position - bit / 2));
    std::int32_t right = bit / 2;
    while (right > 0 && position + right > last)
      right /= 2;
    if (right > 0) node.add_child(rank_at(position + right));
    return node;
  }
  /// The position of a tree's root: the largest power of two there is.
  std::int32_t top() const {
    return static_cast<std::int32_t>(std::bit_floor(static_cast<std::uint32_t>(ranks_ - 1)));
  }

  Collective collective_;
  std::int32_t ranks_;
  Rank root_;
  Slice halves_[2];
  std::uint8_t stream_;
  std::uint32_t segments_;  // of each half
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_double_tree(const Operation& operation) {
  return std::make_shared<DoubleTree>(operation);
}

Time double_tree_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  return (operation.collective == Collective::AllReduce ? 2 : 1) * depth_of(operation.ranks) *
         network.message(piece_of(operation.data, 0, 2).count);
}

}  // namespace lockstep::collectives
