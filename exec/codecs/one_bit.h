// SPDX-License-Identifier: Apache-2.0
// One bit per gradient, and two means per column.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// OneBit (Seide et al. 2014, 1-bit SGD): u = e + g; where u ≥ 0 it becomes the mean of its
/// column's elements that are, elsewhere that of the others. A code is for each tensor the upper
/// means, then the lower ones; then the bits of all tensors, each from a new byte.
std::unique_ptr<Codec> make_one_bit(const compression::Group& group);

}  // namespace lockstep::exec
