// SPDX-License-Identifier: Apache-2.0
// The largest gradients, with their indices.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// TopK, TopKPlain, Dgc. A code is kept_of() indices, ascending, then as many floats.
/// TopK: u = e + g, the largest of u are sent, and e becomes what is left of u.
/// Dgc (Lin et al. 2018, algorithm 1): m = µ·m + g, v = v + m, the largest of v are sent; where
/// they are, both v and m become 0 (momentum factor masking). The optimizer adds no momentum of its
/// own.
std::unique_ptr<Codec> make_top_k(const compression::Group& group, const CodecOptions& options);

}  // namespace lockstep::exec
