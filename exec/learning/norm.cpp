// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/norm.h"

#include "exec/learning/lanes.h"

namespace lockstep::exec {

double squared_norm(std::span<const float> block) {
  return sum_in_lanes(block.size(), [&](std::size_t i) { return block[i] * block[i]; });
}

}  // namespace lockstep::exec
