// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/sgd.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <span>
#include <vector>

#include "exec/learning/adam.h"
#include "exec/learning/lanes.h"
#include "exec/learning/norm.h"
#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

}  // namespace

TEST_CASE("sgd: two steps with momentum are those of a hand", "[learning]") {
  // v: 0 → 2 → 0.5·2 + 4 = 5;  p: 10 → 10 − 0.25·2 = 9.5 → 9.5 − 0.25·5 = 8.25 (all exact)
  std::vector<float> parameters{10}, velocity{0};
  const SgdStep step{.rate = 0.25f, .momentum = 0.5f};
  sgd(parameters, velocity, std::vector<float>{2}, step);
  CHECK(velocity[0] == 2);
  CHECK(parameters[0] == 9.5f);
  sgd(parameters, velocity, std::vector<float>{4}, step);
  CHECK(velocity[0] == 5);
  CHECK(parameters[0] == 8.25f);
}

TEST_CASE("sgd: without momentum the past does not matter", "[learning]") {
  std::vector<float> parameters{1, 2}, velocity{100, -100};
  sgd(parameters, velocity, std::vector<float>{4, -8}, {.rate = 0.5f});
  CHECK(parameters == std::vector<float>{1 - 2, 2 + 4});
  CHECK(velocity == std::vector<float>{4, -8});
}

TEST_CASE("sgd: decay is of the parameter, the ratio of both", "[learning]") {
  // v = 0.5·8 + 0.25·(2 + 0.5·12) = 6;  p = 12 − 0.5·6 = 9
  std::vector<float> parameters{12}, velocity{8};
  sgd(parameters, velocity, std::vector<float>{2},
      {.rate = 0.5f, .momentum = 0.5f, .weight_decay = 0.5f, .ratio = 0.25f});
  CHECK(velocity[0] == 6);
  CHECK(parameters[0] == 9);
}

TEST_CASE("nesterov: two steps are those of a hand", "[learning]") {
  // g = 2 + 0.5·4 = 4, v = 4, p = 4 − 0.25·(4 + 0.5·4) = 2.5;
  // g = 1 + 0.5·2.5 = 2.25, v = 2 + 2.25 = 4.25, p = 2.5 − 0.25·(2.25 + 2.125) = 1.40625
  std::vector<float> parameters{4}, velocity{0};
  const SgdStep step{.rate = 0.25f, .momentum = 0.5f, .weight_decay = 0.5f};
  nesterov(parameters, velocity, std::vector<float>{2}, step);
  CHECK(parameters[0] == 2.5f);
  nesterov(parameters, velocity, std::vector<float>{1}, step);
  CHECK(velocity[0] == 4.25f);
  CHECK(parameters[0] == 1.40625f);
}

TEST_CASE("sgd: a changing rate needs no momentum correction in this form", "[learning]") {
  // Goyal et al. 2017, eq. 10 with the correction of remark 2: the velocity holds the rate, and is
  // rescaled when that changes.
  constexpr std::uint64_t kSeed = 11;
  INFO("seed " << kSeed);
  Random random(kSeed);
  std::vector<float> parameter{1}, velocity{0};
  double corrected = 1, inside = 0, before = 0.1;
  for (int i = 0; i < 50; ++i) {
    const double rate = 0.1 + 0.02 * i;
    const auto gradient = static_cast<float>(random.normal());
    sgd(parameter, velocity, std::vector<float>{gradient},
        {.rate = static_cast<float>(rate), .momentum = 0.9f});
    inside = 0.9 * (rate / before) * inside + rate * static_cast<double>(gradient);
    corrected -= inside;
    before = rate;
  }
  CHECK(static_cast<double>(parameter[0]) == Approx(corrected).epsilon(1e-4));
}

TEST_CASE("sgd: updating slice by slice is bitwise the same as at once", "[learning]") {
  constexpr std::size_t kCount = 1003;
  std::vector<float> parameters = normals(kCount, 1), velocity = normals(kCount, 2);
  const std::vector<float> gradients = normals(kCount, 3);
  std::vector<float> sliced = parameters, sliced_velocity = velocity;
  const SgdStep step{.rate = 0.05f, .momentum = 0.9f};
  sgd(parameters, velocity, gradients, step);
  const std::vector<std::size_t> bounds{0, 0, 1, 18, 500, kCount};
  for (std::size_t slice = 0; slice + 1 < bounds.size(); ++slice) {
    const std::size_t first = bounds[slice], count = bounds[slice + 1] - first;
    sgd(std::span(sliced).subspan(first, count), std::span(sliced_velocity).subspan(first, count),
        std::span<const float>(gradients).subspan(first, count), step);
  }
  CHECK(sliced == parameters);
  CHECK(sliced_velocity == velocity);
}

TEST_CASE("sgd: nothing is a legal slice", "[learning]") {
  std::vector<float> none;
  sgd(none, none, none, {.rate = 0.1f, .momentum = 0.9f});
  CHECK(none.empty());
}

TEST_CASE("lars: the ratio is the paper's, and does not see the gradient's scale", "[learning]") {
  // 0.001 · 8 / (2 + 0.5 · 8) = 0.008 / 6
  CHECK(lars_ratio(8, 2, 0.001, 0.5, 0) == Approx(0.008 / 6));
  CHECK(lars_ratio(0, 2, 0.001, 0.5, 0) == 1);
  CHECK(lars_ratio(8, 0, 0.001, 0.5, 0) == 1);
  // Without decay ratio · gradient is the same for any multiple of it.
  CHECK(2.0 * lars_ratio(8, 2, 0.001, 0, 0) == Approx(200.0 * lars_ratio(8, 200, 0.001, 0, 0)));
}

TEST_CASE("adam: three steps are the paper's", "[learning]") {
  constexpr double kRate = 0.1, kBeta1 = 0.9, kBeta2 = 0.99, kEpsilon = 1e-3, kDecay = 0.05;
  double w = 2, m = 0, v = 0;
  std::vector<float> parameter{2}, first{0}, second{0};
  int t = 0;
  for (const double g : {1.0, -3.0, 0.5}) {
    AdamStep step{.rate = kRate,
                  .beta1 = kBeta1,
                  .beta2 = kBeta2,
                  .epsilon = kEpsilon,
                  .weight_decay = kDecay};
    step.correct(t++, kBeta1, kBeta2);
    m = kBeta1 * m + (1 - kBeta1) * g;
    v = kBeta2 * v + (1 - kBeta2) * g * g;
    const double r =
        m / (1 - std::pow(kBeta1, t)) / (std::sqrt(v / (1 - std::pow(kBeta2, t))) + kEpsilon) +
        kDecay * w;
    w -= kRate * r;
    const std::vector<float> gradient{static_cast<float>(g)};
    move_moments(first, second, gradient, step);
    CHECK(std::sqrt(squared_direction(parameter, first, second, step)) ==
          Approx(std::abs(r)).epsilon(1e-5));
    follow(parameter, first, second, step, 1);
    CHECK(static_cast<double>(parameter[0]) == Approx(w).epsilon(1e-5));
  }
  CHECK(lamb_ratio(6, 2) == 3);
  CHECK(lamb_ratio(0, 2) == 1);
  CHECK(lamb_ratio(6, 0) == 1);
}

TEST_CASE("norm: that of doubles, whatever the count", "[learning]") {
  for (const std::size_t count : {0, 1, 15, 16, 17, 1023, 1024, 1025, 5000}) {
    const std::vector<float> values = normals(count, count + 1);
    std::vector<float> squares;
    double sum = 0;
    for (const float value : values) {
      squares.push_back(value * value);
      sum += static_cast<double>(value) * static_cast<double>(value);
    }
    CHECK(squared_norm(values) == Approx(sum).epsilon(1e-6));
    // To the bit, whatever registers a compiler takes: replicas take steps of LARS by it.
    CHECK(squared_norm(values) == sum_in_lanes(count, [&](std::size_t i) { return squares[i]; }));
  }
}
