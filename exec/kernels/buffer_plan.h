// SPDX-License-Identifier: Apache-2.0
// Which buffers can be shared by activations, or gradients of them, that are not needed at one
// time. Planned before anything is allocated.
#pragma once

#include <cstddef>
#include <vector>

namespace lockstep::exec {

class BufferPlan {
 public:
  /// A buffer of at least `floats` that nobody has: the smallest that is large enough, else the
  /// largest, which grows, else a new one. Returns its number.
  std::size_t take(std::size_t floats);
  void give_back(std::size_t buffer) { taken_[buffer] = false; }

  /// How large each buffer has to be, in floats.
  const std::vector<std::size_t>& sizes() const { return sizes_; }

 private:
  std::vector<std::size_t> sizes_;
  std::vector<bool> taken_;
};

}  // namespace lockstep::exec
