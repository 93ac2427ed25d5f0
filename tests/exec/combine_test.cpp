// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/combine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <catch2/catch.hpp>

#include "models/base/random.h"

namespace lockstep::exec {
namespace {

using schedule::ElementType;
using schedule::Operator;

std::vector<float> random_floats(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

float combined(Operator combining, float from, float into) {
  switch (combining) {
    case Operator::Replace:
      return from;
    case Operator::Sum:
      return into + from;
    case Operator::Max:
      return std::max(into, from);
  }
  return 0;
}

TEST_CASE("combine: every operator, element by element, for lengths around a vector's",
          "[exec][combine]") {
  for (const Operator combining : {Operator::Replace, Operator::Sum, Operator::Max})
    for (std::size_t count = 0; count <= 67; ++count) {
      const std::vector<float> from = random_floats(1, count);
      std::vector<float> into = random_floats(2, count);
      std::vector<float> expected = into;
      for (std::size_t i = 0; i < count; ++i)
        expected[i] = combined(combining, from[i], into[i]);
      combine(combining, ElementType::Float32, std::as_bytes(std::span(from)),
              std::as_writable_bytes(std::span(into)));
      CHECK(into == expected);
    }
}

TEST_CASE("arrivals: however the bytes are cut, the result is the same bit for bit",
          "[exec][combine]") {
  constexpr std::size_t kCount = 200'000;  // more than the scratch holds: 65,536 elements
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u);
  CAPTURE(seed);
  const std::vector<float> from = random_floats(seed, kCount);
  std::vector<float> expected = random_floats(seed + 100, kCount);
  std::vector<float> into = expected;
  for (std::size_t i = 0; i < kCount; ++i)
    expected[i] += from[i];

  Random random(seed);
  ArrivalCombiner combiner;
  const std::span<const std::byte> source = std::as_bytes(std::span(from));
  const std::span<std::byte> target = std::as_writable_bytes(std::span(into));
  // Short cuts leave pieces of elements, long ones fill the scratch.
  const std::uint64_t longest = seed % 2 == 0 ? 13 : 400'000;
  std::size_t taken = 0;
  std::size_t done = 0;
  while (taken < source.size()) {
    const std::span<std::byte> space = combiner.space();
    const std::size_t bytes =
        std::min<std::size_t>({space.size(), source.size() - taken, 1 + random.below(longest)});
    std::memcpy(space.data(), source.data() + taken, bytes);
    taken += bytes;
    done += combiner.arrived(bytes, Operator::Sum, ElementType::Float32, target.subspan(done));
    CHECK(done == taken - taken % sizeof(float));
  }
  CHECK(into == expected);
}

}  // namespace
}  // namespace lockstep::exec
