// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/sgd.h"

#include <catch2/catch.hpp>
#include <span>
#include <vector>

#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::exec;

TEST_CASE("sgd: two steps with momentum are those of a hand", "[learning]") {
  // v: 0 → 2 → 0.5·2 + 4 = 5;  p: 10 → 10 − 0.25·2 = 9.5 → 9.5 − 0.25·5 = 8.25 (all exact)
  std::vector<float> parameters{10}, velocity{0};
  sgd_momentum(parameters, velocity, std::vector<float>{2}, 0.25f, 0.5f);
  CHECK(velocity[0] == 2);
  CHECK(parameters[0] == 9.5f);
  sgd_momentum(parameters, velocity, std::vector<float>{4}, 0.25f, 0.5f);
  CHECK(velocity[0] == 5);
  CHECK(parameters[0] == 8.25f);
}

TEST_CASE("sgd: without momentum the past does not matter", "[learning]") {
  std::vector<float> parameters{1, 2}, velocity{100, -100};
  sgd_momentum(parameters, velocity, std::vector<float>{4, -8}, 0.5f, 0);
  CHECK(parameters == std::vector<float>{1 - 2, 2 + 4});
  CHECK(velocity == std::vector<float>{4, -8});
}

TEST_CASE("sgd: updating slice by slice is bitwise the same as at once", "[learning]") {
  constexpr std::uint64_t kSeed = 3;
  constexpr std::size_t kCount = 1003;
  INFO("seed " << kSeed);
  Random random(kSeed);
  std::vector<float> parameters(kCount), velocity(kCount), gradients(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    parameters[i] = static_cast<float>(random.normal());
    velocity[i] = static_cast<float>(random.normal());
    gradients[i] = static_cast<float>(random.normal());
  }
  std::vector<float> sliced = parameters, sliced_velocity = velocity;
  sgd_momentum(parameters, velocity, gradients, 0.05f, 0.9f);
  const std::vector<std::size_t> bounds{0, 0, 1, 18, 500, kCount};
  for (std::size_t slice = 0; slice + 1 < bounds.size(); ++slice) {
    const std::size_t first = bounds[slice], count = bounds[slice + 1] - first;
    sgd_momentum(std::span(sliced).subspan(first, count),
                 std::span(sliced_velocity).subspan(first, count),
                 std::span<const float>(gradients).subspan(first, count), 0.05f, 0.9f);
  }
  CHECK(sliced == parameters);
  CHECK(sliced_velocity == velocity);
}

TEST_CASE("sgd: nothing is a legal slice", "[learning]") {
  std::vector<float> none;
  sgd_momentum(none, none, none, 0.1f, 0.9f);
  CHECK(none.empty());
}
