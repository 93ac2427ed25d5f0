// SPDX-License-Identifier: Apache-2.0
// A random share of the gradients, the same on all ranks.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// RandomK: u = e + g; of u one element of each of kept_of() equal pieces is sent, and e becomes
/// what is left. Which, follows from seed, group and iteration, so that codes can be added and
/// carry no indices.
std::unique_ptr<Codec> make_random_k(const compression::Group& group, const CodecOptions& options);

}  // namespace lockstep::exec
