// SPDX-License-Identifier: Apache-2.0
// Signs, a bit each.
#pragma once

#include <cstdint>
#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// SignVote, EfSign. The sign of 0 is +.
/// SignVote (Bernstein et al. 2018): what the ranks end with is the sign of the sum of signs, ±1
/// and
/// + where it is 0: it asks for a learning rate of its own, some hundred times smaller.
/// EfSign (Karimireddy et al. 2019): per tensor C(u) = |u|₁ / d · sign(u), u = e + g. A code is the
/// tensors' scales, then their bits, each tensor from a new byte.
std::unique_ptr<Codec> make_sign(const compression::Group& group, std::int32_t ranks);

}  // namespace lockstep::exec
