// SPDX-License-Identifier: Apache-2.0
// Minus one, zero or one per gradient, at random, times a scale per tensor.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// TernGrad, TernGradShared (Wen et al. 2017). Per tensor s = min(max |g|, 2.5 σ), σ² being the
/// mean of g²; g becomes s · sign(g) with probability min(|g| / s, 1), otherwise 0: unbiased but
/// for what is clipped. TernGrad: a code is the tensors' scales, then their two planes of bits.
/// TernGradShared: first the scales, of which the ranks take the greatest, then −1, 0 or 1 for each
/// element, which are added; the gradients must stay until then.
std::unique_ptr<Codec> make_terngrad(const compression::Group& group, const CodecOptions& options);

}  // namespace lockstep::exec
