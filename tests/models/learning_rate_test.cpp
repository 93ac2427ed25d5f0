// SPDX-License-Identifier: Apache-2.0
// The learning rate of every iteration, against the formulas of the papers.
#include "models/training/learning_rate.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace lockstep::training;

namespace {

constexpr std::int32_t kIterations = 100;

double at(const RateSchedule& schedule, std::int32_t iteration, std::int32_t batch = 64) {
  return rate_at(schedule, 0.1, batch, iteration, kIterations);
}

}  // namespace

TEST_CASE("rate: without a policy it is the base, whatever the batch", "[training]") {
  for (const std::int32_t iteration : {0, 1, 50, 99, 100, 1000})
    CHECK(at({}, iteration, 4096) == 0.1);
}

TEST_CASE("rate: scaled with the batch, by k or its root", "[training]") {
  // From 64 to 1024 images k is 16.
  CHECK(at({.scaling = RateScaling::Linear}, 0, 1024) == Approx(1.6));
  CHECK(at({.scaling = RateScaling::SquareRoot}, 0, 1024) == Approx(0.4));
  CHECK(at({.scaling = RateScaling::Linear, .base_batch = 256}, 0, 1024) == Approx(0.4));
  CHECK(at({.scaling = RateScaling::Linear}, 0, 32) == Approx(0.05));
}

TEST_CASE("rate: warms up by the same amount each iteration", "[training]") {
  // From the base 0.1 to the peak 1.6 in five: 0.3 each.
  const RateSchedule scaled{.scaling = RateScaling::Linear, .warm_up = 5};
  for (std::int32_t i = 0; i < 5; ++i)
    CHECK(at(scaled, i, 1024) == Approx(0.1 + 0.3 * (i + 1)));
  CHECK(at(scaled, 5, 1024) == Approx(1.6));
  // Nothing scaled it: from 0 in four.
  const RateSchedule plain{.warm_up = 4};
  for (std::int32_t i = 0; i < 4; ++i)
    CHECK(at(plain, i) == Approx(0.025 * (i + 1)));
  // A warm-up longer than the training ends at the share that there was time for.
  CHECK(at({.warm_up = 400}, 99) == Approx(0.1 * 100 / 400));
}

TEST_CASE("rate: drops from the iterations on that are listed", "[training]") {
  const RateSchedule steps{.policy = RatePolicy::Step, .drops = {30, 60}, .drop_factor = 0.5};
  CHECK(at(steps, 29) == Approx(0.1));
  CHECK(at(steps, 30) == Approx(0.05));
  CHECK(at(steps, 59) == Approx(0.05));
  CHECK(at(steps, 60) == Approx(0.025));
}

TEST_CASE("rate: cosine, polynomial, exponential over what follows the warm-up", "[training]") {
  // 20 iterations of warm-up, 80 behind: iteration 40 is a quarter of them, 60 the half.
  RateSchedule schedule{.policy = RatePolicy::Cosine, .warm_up = 20};
  CHECK(at(schedule, 20) == Approx(0.1));
  CHECK(at(schedule, 40) == Approx(0.1 * (1 + std::sqrt(0.5)) / 2));  // cos 45° = √½
  CHECK(at(schedule, 60) == Approx(0.05));
  CHECK(at(schedule, 100) == Approx(0).margin(1e-12));
  CHECK(at(schedule, 5000) == Approx(0).margin(1e-12));
  schedule.end = 0.5;
  CHECK(at(schedule, 60) == Approx(0.075));

  schedule = {.policy = RatePolicy::Polynomial, .warm_up = 20, .power = 2};
  CHECK(at(schedule, 20) == Approx(0.1));
  CHECK(at(schedule, 60) == Approx(0.1 * 0.25));
  CHECK(at(schedule, 99) == Approx(0.1 / 80 / 80));

  schedule = {.policy = RatePolicy::Exponential, .end = 16};  // rises: · 2 every 25 iterations
  CHECK(at(schedule, 0) == Approx(0.1));
  CHECK(at(schedule, 25) == Approx(0.2));
  CHECK(at(schedule, 50) == Approx(0.4));
  CHECK(at(schedule, 75) == Approx(0.8));
}

TEST_CASE("rate: what people are told", "[training]") {
  CHECK(describe({}, 0.05, 64) == "rate 0.05, constant");
  CHECK(
      describe({.policy = RatePolicy::Cosine, .scaling = RateScaling::Linear, .warm_up = 94}, 0.05,
               1024) ==
      "rate 0.8 (0.05 · 16, linear from batch 64), warm-up 94 iterations, then cosine to 0 of it");
}
