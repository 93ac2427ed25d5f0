// SPDX-License-Identifier: Apache-2.0
// Measures what codecs take on one core.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/compression/codec.h"
#include "models/cost/machine.h"

namespace lockstep::exec {

/// Seconds of one rank of `ranks`, medians. What other ranks would send is taken for what this one
/// does.
struct CodecTimes {
  double encode = 0;
  double encode_next = 0;     // 0 where there is one stage only
  double decode = 0;          // of one code, which is written
  double decode_another = 0;  // of one that is added; 0 where codes come together before
  double relative_error = 0;  // |decoded − gradients| ÷ |gradients|, of the first code
};

/// On these gradients, which like all else are out of the caches when it begins, as they are behind
/// a backward pass. Lasts about `seconds`.
CodecTimes time_codec(const compression::Group& group, std::span<const float> gradients,
                      std::int32_t ranks, double seconds);

/// Adds rows of the codecs, for groups of 1 Ki to 4 Mi elements. Those that `machine` has already
/// are measured anew.
void add_codecs(cost::Machine& machine, const std::vector<compression::Codec>& codecs,
                const std::function<void(const std::string&)>& say);

}  // namespace lockstep::exec
