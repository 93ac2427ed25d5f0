// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/binomial_tree.h"

#include <bit>

#include "models/collectives/tree.h"

namespace lockstep::collectives {

namespace {

using schedule::Segments;
using schedule::Step;

class BinomialTree final : public schedule::StepSource {
 public:
  explicit BinomialTree(const Operation& operation)
      : collective_(operation.collective),
        ranks_(operation.ranks),
        root_(operation.collective == Collective::Broadcast ? operation.root : 0),
        stream_(operation.stream),
        segments_(operation.data, operation.segment_elements) {}

  /// A round is a segment. One has gone up and down after as many others as there are levels,
  /// twice.
  Shape shape(Rank rank) const override {
    const auto levels =
        static_cast<std::uint32_t>(std::bit_width(static_cast<std::uint32_t>(ranks_)));
    return {segments_.size(), tree_slots(node(rank).children, collective_), 2 * levels};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    tree_steps(node(rank), collective_, segments_[round], stream_,
               round * static_cast<std::uint32_t>(slots.size()), slots);
  }

 private:
  TreeNode node(Rank rank) const {
    const std::int32_t number = (rank - root_ + ranks_) % ranks_;
    const auto rank_of = [&](std::int32_t other) { return (other + root_) % ranks_; };
    TreeNode node;
    if (number > 0) node.parent = rank_of(number & (number - 1));
    for (std::int64_t bit = 1; (number & bit) == 0 && number + bit < ranks_; bit *= 2)
      node.add_child(rank_of(number + static_cast<std::int32_t>(bit)));
    return node;
  }

  Collective collective_;
  std::int32_t ranks_;
  Rank root_;
  std::uint8_t stream_;
  Segments segments_;
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_binomial_tree(const Operation& operation) {
  return std::make_shared<BinomialTree>(operation);
}

Time binomial_tree_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  const int levels = std::bit_width(static_cast<std::uint32_t>(operation.ranks)) - 1;
  return (operation.collective == Collective::AllReduce ? 2 : 1) * levels *
         network.message(operation.data.count);
}

}  // namespace lockstep::collectives
