// SPDX-License-Identifier: Apache-2.0
// Signs, a bit each.
#pragma once

#include <cstdint>
#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// SignVote, EfSign. The sign of 0 is +.
/// SignVote (Bernstein et al. 2018): what the ranks end with is the sign of the sum of signs, ±1
/// and + where it is 0: it asks for a learning rate of its own, some hundred times smaller.
/// EfSign (Karimireddy et al. 2019; its momentum and its scales as Zheng et al. 2019): with
/// m ← momentum · m + g and u = e + m, per column of a tensor, which is what goes to one output,
/// C(u) = |u|₁ / d · sign(u), e ← u − C(u). A code is the columns' scales, then the tensors' bits,
/// each tensor from a new byte.
std::unique_ptr<Codec> make_sign(const compression::Group& group, const CodecOptions& options);

}  // namespace lockstep::exec
