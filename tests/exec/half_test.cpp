// SPDX-License-Identifier: Apache-2.0
// Numbers of 16 bits against arithmetic in double precision.
#include "exec/codecs/half.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

constexpr std::uint64_t kSeed = 4;

/// The nearest number with `fraction` bits behind the first, and exponents from `least` on: by
/// scaling so that the last place is 1, and rounding in double precision.
double nearest(double value, int fraction, int least) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), least);
  return std::ldexp(std::nearbyint(std::ldexp(value, fraction - exponent)), exponent - fraction);
}

std::vector<float> floats_of_all_sizes(std::size_t count) {
  Random random(kSeed);
  std::vector<float> values{
      0,      -0.0F,        65504,         65519.99F,  65520,
      -65520, 0x1p-24F,     0x1p-25F,      0x1.8p-25F, std::numeric_limits<float>::infinity(),
      1,      1 + 0x1p-11F, 1 + 0x1.8p-10F};
  while (values.size() < count)
    values.push_back(
        std::ldexp(static_cast<float>(random.normal()), static_cast<int>(random.below(50)) - 32));
  return values;
}

}  // namespace

TEST_CASE("half: every number of 16 bits is itself after a float", "[half]") {
  std::vector<std::uint16_t> all(1 << 16), back(all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> floats(all.size());
  from_float16(all.data(), floats.data(), all.size());
  to_float16(floats.data(), back.data(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (std::isnan(floats[i]))
      CHECK((back[i] & 0x7FFF) > 0x7C00);
    else
      CHECK(back[i] == all[i]);
  from_bfloat16(all.data(), floats.data(), all.size());
  to_bfloat16(floats.data(), back.data(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (std::isnan(floats[i]))
      CHECK((back[i] & 0x7FFF) > 0x7F80);
    else
      CHECK(back[i] == all[i]);
}

TEST_CASE("half: rounds to the nearest, ties to even", "[half]") {
  const std::vector<float> values = floats_of_all_sizes(20'011);  // one by one at the end
  std::vector<std::uint16_t> halves(values.size());
  std::vector<float> back(values.size());
  to_float16(values.data(), halves.data(), values.size());
  from_float16(halves.data(), back.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double rounded = nearest(double{values[i]}, 10, -14);
    CAPTURE(kSeed, values[i]);
    CHECK(double{back[i]} ==
          (std::abs(rounded) > 65504 ? std::copysign(INFINITY, rounded) : rounded));
    CHECK(std::signbit(back[i]) == std::signbit(values[i]));
  }
  to_bfloat16(values.data(), halves.data(), values.size());
  from_bfloat16(halves.data(), back.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(double{back[i]} == nearest(double{values[i]}, 7, -126));
}

TEST_CASE("half: a sum is rounded once", "[half]") {
  const std::size_t count = 10'007;
  const std::vector<float> values = floats_of_all_sizes(2 * count);
  std::vector<std::uint16_t> a(count), b(count);
  std::vector<float> x(count), y(count), sum(count);
  to_float16(values.data(), a.data(), count);
  to_float16(values.data() + count, b.data(), count);
  from_float16(a.data(), x.data(), count);
  from_float16(b.data(), y.data(), count);
  add_float16(a.data(), b.data(), count);
  from_float16(b.data(), sum.data(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const double exact = nearest(double{x[i]} + double{y[i]}, 10, -14);
    if (std::isnan(exact))  // ∞ − ∞
      CHECK(std::isnan(sum[i]));
    else
      CHECK(double{sum[i]} == (std::abs(exact) > 65504 ? std::copysign(INFINITY, exact) : exact));
  }
}
