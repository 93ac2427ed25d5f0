// SPDX-License-Identifier: Apache-2.0
// Random rounding to a few levels, unbiased: the core of QSGD and TernGrad.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// So many elements are rounded at a time, between packing and unpacking.
inline constexpr std::size_t kRun = compression::kQsgdRun;

/// Random bits by counter: they follow from the key and the number of an element alone.
struct NoiseKey {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};
/// Of one rank's code in one iteration.
NoiseKey noise_key(const CodecOptions& options, std::int32_t iteration);

/// numbers[i] = levels ± ⌊|values[i]| · scale + U⌋, at most `levels` from the middle, with the sign
/// of values[i] and U uniform in [0, 1). So its mean is levels + values[i] · scale, unless that is
/// farther from the middle. `first` is the number of the first element.
void quantise(const float* values, std::size_t count, float scale, std::int32_t levels,
              const NoiseKey& key, std::uint32_t first, std::uint8_t* numbers);

/// into[i] = (numbers[i] − levels) · unit, or that is added.
void dequantise(const std::uint8_t* numbers, std::size_t count, float unit, std::int32_t levels,
                float* into, bool adds);

}  // namespace lockstep::exec
