// SPDX-License-Identifier: Apache-2.0
// Seeded random numbers, the same on every machine and compiler (std:: distributions are not).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

namespace lockstep {

/// SplitMix64 (Steele, Lea, Flood 2014): one multiply-shift chain per number; any seed is good.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  /// A stream of its own for (seed, a, b): the same whatever other streams are drawn from.
  Random(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0)
      : state_(mix(mix(mix(seed) + a) + b)) {}

  std::uint64_t next() { return mix(state_ += 0x9E3779B97F4A7C15u); }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Uniform in 0 … bound−1; `bound` > 0. The bias is below bound / 2⁶⁴.
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }
  /// Standard normal, by Box and Muller (the second number is thrown away).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Fisher–Yates: every order is equally likely.
  template <typename Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[below(i)]);
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace lockstep
