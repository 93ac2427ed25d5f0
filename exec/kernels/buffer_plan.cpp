// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/buffer_plan.h"

#include <algorithm>

namespace lockstep::exec {

std::size_t BufferPlan::take(std::size_t floats) {
  const auto is_better = [&](std::size_t size, std::size_t than) {
    const bool fits = size >= floats;
    return fits == (than >= floats) ? (fits ? size < than : size > than) : fits;
  };
  std::size_t best = sizes_.size();
  for (std::size_t buffer = 0; buffer < sizes_.size(); ++buffer)
    if (!taken_[buffer] && (best == sizes_.size() || is_better(sizes_[buffer], sizes_[best])))
      best = buffer;
  if (best == sizes_.size()) {
    sizes_.push_back(0);
    taken_.push_back(false);
  }
  sizes_[best] = std::max(sizes_[best], floats);
  taken_[best] = true;
  return best;
}

}  // namespace lockstep::exec
