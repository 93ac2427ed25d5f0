// SPDX-License-Identifier: Apache-2.0
// A first-in first-out queue that allocates only while it grows.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lockstep::exec {

/// A ring over a vector; std::deque would allocate and free blocks for ever.
template <typename Item>
class Queue {
 public:
  bool empty() const { return count_ == 0; }
  Item& front() { return items_[first_]; }
  void push(Item item) {
    if (count_ == items_.size()) grow();
    items_[(first_ + count_++) % items_.size()] = std::move(item);
  }
  Item pop() {
    Item item = std::move(items_[first_]);
    first_ = (first_ + 1) % items_.size();
    --count_;
    return item;
  }

 private:
  void grow() {
    std::vector<Item> larger(items_.empty() ? 8 : 2 * items_.size());
    for (std::size_t i = 0; i < count_; ++i)
      larger[i] = std::move(items_[(first_ + i) % items_.size()]);
    items_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Item> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace lockstep::exec
