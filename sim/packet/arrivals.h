// SPDX-License-Identifier: Apache-2.0
// The receiving end of a TCP connection: which packets are there, and which messages by that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace lockstep::sim {

/// Packets are numbered 0, 1, … in their connection; a message is there with all before its end.
class Arrivals {
 public:
  /// A message more, whose packets are those before `end` that no message before it has.
  void expect(std::uint64_t end) { ends_.push_back(end); }
  /// A packet is there, perhaps not for the first time. Returns how many messages are by that.
  std::uint32_t take(std::uint64_t number) {
    if (number > all_before_) {
      const auto place = static_cast<std::size_t>(number - all_before_ - 1);
      if (later_.size() <= place) later_.resize(place + 1);
      later_[place] = true;
    } else if (number == all_before_) {
      ++all_before_;
      while (!later_.empty()) {
        const bool is_there = later_.front();
        later_.pop_front();
        if (!is_there) break;
        ++all_before_;
      }
    }
    std::uint32_t messages = 0;
    for (; !ends_.empty() && ends_.front() <= all_before_; ++messages)
      ends_.pop_front();
    return messages;
  }
  /// All before this one are there.
  std::uint64_t all_before() const { return all_before_; }
  /// Whether a later one is, too.
  bool has_gap() const { return !later_.empty(); }

 private:
  std::uint64_t all_before_ = 0;
  std::deque<bool> later_;          // whether `all_before_` + 1 + i is there
  std::deque<std::uint64_t> ends_;  // of messages that are not there
};

}  // namespace lockstep::sim
