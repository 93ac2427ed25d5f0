// SPDX-License-Identifier: Apache-2.0
#include "models/cost/turns.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace lockstep;
using namespace lockstep::cost;

namespace {

Machine machine() {
  Machine machine;
  machine.iteration_jitter = 0.03;
  machine.turn_dispersion = 0.0004;
  machine.quota_slowdown = 0.5;
  return machine;
}

}  // namespace

TEST_CASE("turns: threads with a processor each have the machine's own jitter", "[turns]") {
  CHECK(compute_jitter(machine(), 2, 2, 0.1) == 0.03);
  CHECK(compute_jitter(machine(), 2.5, 2, 0.1) == 0.03);
  CHECK(quota_slowdown(machine(), 2, 2) == 1);
  CHECK(quota_slowdown(machine(), 2.5, 2) == 1);
}

TEST_CASE("turns: variances of turns add up over an iteration", "[turns]") {
  // 0.4 ms / 16 ms = 0.025 = 0.158², besides 0.03.
  CHECK(compute_jitter(machine(), 2, 4, 0.016) == Approx(std::hypot(0.03, 0.15811388)));
  CHECK(compute_jitter(machine(), 2, 4, 1.6) == Approx(std::hypot(0.03, 0.015811388)));
}

TEST_CASE("turns: a quota costs time by the pause after it", "[turns]") {
  CHECK(quota_slowdown(machine(), 0.4, 1) == Approx(1.3));
  CHECK(quota_slowdown(machine(), 0.9, 1) == Approx(1.05));
}
