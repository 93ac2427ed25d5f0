// SPDX-License-Identifier: Apache-2.0
// Windows open and close as the RFCs say.
#include "sim/packet/congestion.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace lockstep::sim {
namespace {

/// `packets` more are acknowledged one by one, 10 us apart, after round trips of 1 ms that are
/// full.
double grow(Congestion& congestion, int packets, double from, double spacing = 1e-5) {
  for (int i = 0; i < packets; ++i)
    congestion.acknowledged(1, 1e-3, from + i * spacing, congestion.window());
  return congestion.window();
}

}  // namespace

TEST_CASE("congestion: slow start adds what arrives, if the window is used", "[packet]") {
  Congestion congestion;
  CHECK(grow(congestion, 5, 0) == 15);
  congestion.acknowledged(1, 1e-3, 1, 7);  // less than half of it was under way
  CHECK(congestion.window() == 15);
}

TEST_CASE("congestion: Cubic keeps seven tenths, and is back after the cube root", "[packet]") {
  // RFC 9438, figure 2: K = cbrt(W (1 - 0.7) / 0.4).
  Congestion congestion;
  grow(congestion, 990, 0, 3e-3);
  congestion.lost();
  CHECK(congestion.window() == Approx(700));
  const double back = std::cbrt(1000 * 0.3 / 0.4);
  double halfway = 0;
  for (double now = 10; now < 10 + back; now += 1e-3) {
    congestion.acknowledged(10, 0.1, now, congestion.window());
    if (now < 10 + back / 2) halfway = congestion.window();
  }
  CHECK(halfway == Approx(1000 - 0.4 * std::pow(back / 2, 3)).epsilon(0.01));
  CHECK(congestion.window() == Approx(1000).epsilon(0.01));
  // Half of the window for each timeout without anything to send.
  congestion.idled(0.5, 0.2);
  CHECK(congestion.window() == Approx(1000 / 4).epsilon(0.01));
}

TEST_CASE("congestion: Cubic's slow start ends with delay, or a long train", "[packet]") {
  // Round trips of 1 ms, and from the second round on of 6 ms: the ninth sample ends it.
  Congestion delayed;
  for (int i = 0; i < 30; ++i)
    delayed.acknowledged(1, 1e-3, 0.1 * i, delayed.window());
  CHECK(delayed.window() == 40);
  delayed.begin_round();
  for (int i = 0; i < 40; ++i)
    delayed.acknowledged(1, 6e-3, 10 + 0.1 * i, delayed.window());
  CHECK(delayed.window() < 52);
  // Acknowledgements 10 us apart for more than (1 + 1) / 2 ms: a hundred, from 16 packets on.
  Congestion train;
  CHECK(grow(train, 300, 0) == Approx(111).margin(3));
  // 3 ms apart they make no train.
  Congestion sparse;
  CHECK(grow(sparse, 300, 0, 3e-3) == 310);
}

}  // namespace lockstep::sim
