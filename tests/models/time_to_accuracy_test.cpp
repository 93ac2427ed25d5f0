// SPDX-License-Identifier: Apache-2.0
#include "models/training/time_to_accuracy.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

using namespace lockstep::training;

TEST_CASE("time to accuracy: where the curve first reaches it", "[training]") {
  const std::vector<AccuracyPoint> curve{{100, 0.5}, {200, 0.7}, {300, 0.6}, {400, 0.9}};
  CHECK(iterations_to(curve, 0.4).value() == 100);
  CHECK(iterations_to(curve, 0.5).value() == 100);
  CHECK(iterations_to(curve, 0.6).value() == Approx(150));  // half way
  CHECK(iterations_to(curve, 0.8).value() == Approx(300 + 100 * 2.0 / 3));
  CHECK_FALSE(iterations_to(curve, 0.95));
  CHECK_FALSE(iterations_to({}, 0.1));
}

TEST_CASE("time to accuracy: the noise of the part that was needed", "[training]") {
  const double none = std::numeric_limits<double>::quiet_NaN();
  // Of the first six, without NaN: 10, 20, 30, 40, 50; quartiles 20, 30, 40.
  const NoiseSpread spread = noise_spread({none, 30, 10, 50, 20, 40, 1e6}, 6).value();
  CHECK(spread.low == 20);
  CHECK(spread.middle == 30);
  CHECK(spread.high == 40);
  CHECK_FALSE(noise_spread({none, none}, 2));
}

TEST_CASE("time to accuracy: updates and images trade as in McCandlish et al.", "[training]") {
  // Noise scale 300: at batch 100 updates are 1 + 3 = 4 times the fewest, at 300 twice, at 900 4/3.
  CHECK(iterations_at(4000, 100, 100, 300) == Approx(4000));
  CHECK(iterations_at(4000, 100, 300, 300) == Approx(2000));
  CHECK(iterations_at(4000, 100, 900, 300) == Approx(4000.0 / 3));
  // (S / S_min − 1) (E / E_min − 1) = 1, for every batch: S_min = 1000, E_min = 300 · S_min.
  for (const int batch : {1, 64, 300, 4096}) {
    const double updates = iterations_at(4000, 100, batch, 300);
    CHECK((updates / 1000 - 1) * (updates * batch / 300'000 - 1) == Approx(1));
  }
  // An image at the base batch is worth one; the updates' model says the same of all others.
  CHECK(statistical_efficiency(100, 100, 300) == 1);
  CHECK(statistical_efficiency(100, 900, 300) ==
        Approx(4000.0 * 100 / (iterations_at(4000, 100, 900, 300) * 900)));
}

TEST_CASE("time to accuracy: a setting is told from the run that is most like it", "[training]") {
  using Names = std::vector<std::string>;
  const std::vector<LearningRun> runs{
      {{"qsgd:4", 4, 64}, 1}, {{"none", 1, 64}, 2}, {{"none", 2, 1024}, 3}, {{"fp16", 4, 4096}, 4}};
  CHECK(nearest_run(runs, {"none", 8, 128}).iterations == 2);
  CHECK(nearest_run(runs, {"none", 8, 257}).iterations == 3);  // 256 is as far from 64 as from 1024
  CHECK(nearest_run(runs, {"fp16", 4, 64}).iterations == 4);   // a codec counts before the batch
  CHECK(nearest_run(runs, {"powersgd:2", 4, 64}).iterations == 2);
  CHECK(nearest_run({runs.front()}, {"none", 1, 64}).iterations == 1);

  CHECK(extrapolated({"none", 1, 64}, {"none", 4, 64}, false).empty());
  CHECK(extrapolated({"none", 1, 64}, {"none", 4, 64}, true) == Names{"ranks"});
  CHECK(extrapolated({"none", 1, 64}, {"none", 1, 128}, true) == Names{"batch"});
  CHECK(extrapolated({"none", 2, 64}, {"fp16", 2, 128}, false) == Names{"batch", "codec"});
  CHECK(extrapolated({"fp16", 2, 64}, {"fp16", 2, 64}, false).empty());
  CHECK(extrapolated({"fp16", 2, 64}, {"fp16", 4, 64}, false) == Names{"ranks"});
}
