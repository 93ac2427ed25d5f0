// SPDX-License-Identifier: Apache-2.0
// Gradients with fewer bits, or with all of them: codes that any all-reduce adds up.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// Float32, Float16, BFloat16. The gradients are those of a mean over the global batch, so their
/// sums are as large as single ones, and half precision (up to 65504) does not overflow sooner.
/// A hop of the all-reduce rounds again: the error of a sum grows with the number of hops.
std::unique_ptr<Codec> make_rounding(const compression::Group& group);

}  // namespace lockstep::exec
