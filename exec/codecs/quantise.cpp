// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/quantise.h"

#include <cmath>

#include "models/base/random.h"

namespace lockstep::exec {

namespace {

/// The finaliser of MurmurHash3 (Appleby), with the key's second half in its middle.
inline std::uint32_t noise(std::uint32_t number, const NoiseKey& key) {
  std::uint32_t x = number * 0x9E3779B9 + key.a;
  x ^= x >> 16;
  x *= 0x85EBCA6B;
  x ^= x >> 13;
  x ^= key.b;
  x *= 0xC2B2AE35;
  return x ^ x >> 16;
}

}  // namespace

NoiseKey noise_key(const CodecOptions& options, std::int32_t iteration) {
  Random random(options.seed ^ static_cast<std::uint64_t>(options.rank) << 32,
                0x51D0 + options.group, static_cast<std::uint64_t>(iteration));
  const std::uint64_t bits = random.next();
  return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
}

void quantise(const float* __restrict values, std::size_t count, float scale, std::int32_t levels,
              const NoiseKey& key, std::uint32_t first, std::uint8_t* __restrict numbers) {
  const NoiseKey mine = key;
  const auto most = static_cast<float>(levels);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = noise(first + static_cast<std::uint32_t>(i), mine) >> 8;
    const float uniform = static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-24F;
    const float raised = std::abs(values[i]) * scale + uniform;
    const auto level = static_cast<std::int32_t>(raised < most ? raised : most);
    numbers[i] = static_cast<std::uint8_t>(values[i] < 0 ? levels - level : levels + level);
  }
}

void dequantise(const std::uint8_t* __restrict numbers, std::size_t count, float unit,
                std::int32_t levels, float* __restrict into, bool adds) {
  if (adds) {
    for (std::size_t i = 0; i < count; ++i)
      into[i] += static_cast<float>(numbers[i] - levels) * unit;
  } else {
    for (std::size_t i = 0; i < count; ++i)
      into[i] = static_cast<float>(numbers[i] - levels) * unit;
  }
}

}  // namespace lockstep::exec
