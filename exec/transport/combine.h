// SPDX-License-Identifier: Apache-2.0
// into = into (operator) from, for whole runs of elements and for elements that arrive in pieces.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// `from` and `into` are equally long, a whole number of elements, aligned to elements, and don't
/// overlap. Max, of Float32 only, takes `from` where it is greater; Byte can only be replaced.
void combine(schedule::Operator combining, schedule::ElementType type,
             std::span<const std::byte> from, std::span<std::byte> into);

/// Combines a stream of bytes into a slice as it comes; an element may arrive in two pieces. The
/// caller reads into space() and says how much came. The scratch stays in the second-level cache
/// and is kept from one message to the next.
class ArrivalCombiner {
 public:
  static constexpr std::size_t kScratchBytes = std::size_t{256} << 10;

  /// Where the next bytes belong: the scratch, as far as it is free.
  std::span<std::byte> space();
  /// `bytes` came into space(). Combines the whole elements into the front of `into` and returns
  /// how many bytes of `into` are thereby done; a last piece of an element is kept.
  std::size_t arrived(std::size_t bytes, schedule::Operator combining, schedule::ElementType type,
                      std::span<std::byte> into);

 private:
  std::vector<std::byte> scratch_;  // allocated on first use: many connections never combine
  std::size_t kept_ = 0;
};

}  // namespace lockstep::exec
