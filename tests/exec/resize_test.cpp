// SPDX-License-Identifier: Apache-2.0
// Scaling pictures: against the definition, computed slowly in double precision.
#include "exec/data/resize.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "exec/data/framing.h"
#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

Picture noise(Size size, std::int32_t channels, Random& random) {
  Picture picture;
  picture.reshape(size, channels);
  for (std::uint8_t& pixel : picture.pixels)
    pixel = static_cast<std::uint8_t>(random.next() >> 56);
  return picture;
}

Picture resized(const Picture& from, const Box& box, Size size, bool mirrored) {
  Picture to;
  to.reshape(size, from.channels);
  Resizer().resize(from, box, size, mirrored, to.pixels.data());
  return to;
}

/// What input pixel k counts for output pixel i: a triangle around the output's middle whose
/// half-width is the larger of an input and an output pixel.
double weight(int k, int i, double inputs, double outputs) {
  const double scale = std::max(inputs / outputs, 1.0);
  return std::max(0.0, 1 - std::abs(k + 0.5 - (i + 0.5) * inputs / outputs) / scale);
}

double expected(const Picture& from, const Box& box, Size size, int y, int x, int channel) {
  double sum = 0, weights = 0;
  for (int row = 0; row < box.size.height; ++row)
    for (int column = 0; column < box.size.width; ++column) {
      const double w = weight(row, y, box.size.height, size.height) *
                       weight(column, x, box.size.width, size.width);
      const int place = ((box.top + row) * from.size.width + box.left + column) * from.channels;
      sum += w * from.pixels[static_cast<std::size_t>(place + channel)];
      weights += w;
    }
  return sum / weights;
}

}  // namespace

TEST_CASE("resize: every pixel is the triangle-weighted mean of the input's", "[resize]") {
  const std::uint64_t seed = 7;
  CAPTURE(seed);
  Random random(seed);
  const auto side = [&](int most) { return 1 + static_cast<std::int32_t>(random.below(most)); };
  for (int round = 0; round < 200; ++round) {
    const Picture from = noise({side(40), side(40)}, round % 2 == 0 ? 3 : 1, random);
    Box box;
    box.size = {side(from.size.height), side(from.size.width)};
    box.top = static_cast<std::int32_t>(random.below(1 + from.size.height - box.size.height));
    box.left = static_cast<std::int32_t>(random.below(1 + from.size.width - box.size.width));
    const Size size{side(40), side(40)};
    CAPTURE(round, box.size.height, box.size.width, size.height, size.width);
    const Picture to = resized(from, box, size, false);
    double worst = 0;
    std::size_t place = 0;
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        for (int c = 0; c < from.channels; ++c)
          worst =
              std::max(worst, std::abs(to.pixels[place++] - expected(from, box, size, y, x, c)));
    // Half for rounding to a byte. A weight of 2⁻¹⁴ off by half on each of up to 40 taps, times
    // 255, in two passes, is 0.6 at the very worst; and 1/128 between the passes.
    CHECK(worst < 0.5 + 0.65);
  }
}

TEST_CASE("resize: the same size is the same picture; mirrored it is the other way", "[resize]") {
  Random random(1);
  for (const std::int32_t channels : {1, 3}) {
    const Picture from = noise({9, 14}, channels, random);
    const Box all{0, 0, from.size};
    CHECK(resized(from, all, from.size, false).pixels == from.pixels);
    const Picture mirrored = resized(from, all, from.size, true);
    CHECK(mirrored.pixels != from.pixels);
    CHECK(resized(mirrored, all, from.size, true).pixels == from.pixels);
    // Scaling and mirroring can be done in either order.
    CHECK(resized(mirrored, all, {5, 6}, false).pixels == resized(from, all, {5, 6}, true).pixels);
  }
}

TEST_CASE("resize: one colour stays that colour, at any size", "[resize]") {
  for (const std::int32_t inputs : {1, 2, 3, 175, 350, 4000})
    for (const std::int32_t outputs : {1, 2, 7, 150, 224}) {
      Picture from;
      from.reshape({inputs, 3}, 1);
      std::fill(from.pixels.begin(), from.pixels.end(), std::uint8_t{255});
      const Picture to = resized(from, {0, 0, from.size}, {outputs, 2}, false);
      CAPTURE(inputs, outputs);
      CHECK(std::count(to.pixels.begin(), to.pixels.end(), 255) == 2 * outputs);
    }
}

TEST_CASE("triangles: weights add up to one, and are never negative", "[resize]") {
  for (std::int32_t inputs = 1; inputs < 60; ++inputs)
    for (std::int32_t outputs = 1; outputs < 60; ++outputs) {
      Triangles triangles;
      triangles.set(inputs, outputs, false);
      for (std::int32_t i = 0; i < outputs; ++i) {
        std::int32_t sum = 0, least = 0;
        const auto index = static_cast<std::size_t>(i);
        for (std::int32_t t = 0; t < triangles.taps; ++t) {
          const std::size_t place =
              index * static_cast<std::size_t>(triangles.taps) + static_cast<std::size_t>(t);
          sum += triangles.weights[place];
          least = std::min(least, triangles.weights[place]);
        }
        const bool fits =
            triangles.first[index] >= 0 && triangles.first[index] + triangles.taps <= inputs;
        if (sum != Triangles::kOne || least < 0 || !fits) FAIL(inputs << " to " << outputs);
      }
    }
}

TEST_CASE("framing: the middle, as large as it goes", "[resize]") {
  CHECK(centre_box({350, 350}, {150, 150}) == Box{0, 0, {350, 350}});
  CHECK(centre_box({375, 500}, {150, 150}) == Box{0, 62, {375, 375}});  // (500 − 375) / 2
  CHECK(centre_box({500, 375}, {150, 150}) == Box{62, 0, {375, 375}});
  CHECK(centre_box({100, 300}, {50, 100}) == Box{0, 50, {100, 200}});
  CHECK(centre_box({1, 1000}, {224, 224}) == Box{0, 499, {1, 1}});
  CHECK(with_margin({150, 150}) == Size{175, 175});
  CHECK(with_margin({224, 32}) == Size{262, 38});  // 261.3, 37.3
  CHECK(cover({350, 350}, {175, 175}) == Size{175, 175});
  CHECK(cover({375, 500}, {175, 175}) == Size{175, 233});  // 233.3
  CHECK(cover({3, 2}, {175, 175}) == Size{263, 175});      // 262.5
}

TEST_CASE("framing: random views are within the picture, of every size and place", "[resize]") {
  const Size picture{175, 233}, shape{150, 150};
  int mirrored = 0, smallest = 999, largest = 0, leftmost = 999, rightmost = 0;
  for (std::int32_t image = 0; image < 2000; ++image) {
    const View view = random_view(5, 3, image, picture, shape);
    const Box& box = view.box;
    REQUIRE(box.top >= 0);
    REQUIRE(box.left >= 0);
    REQUIRE(box.top + box.size.height <= picture.height);
    REQUIRE(box.left + box.size.width <= picture.width);
    REQUIRE(std::abs(box.size.height - box.size.width) <= 1);  // the shape's proportions
    mirrored += view.mirrored;
    smallest = std::min(smallest, box.size.height);
    largest = std::max(largest, box.size.height);
    leftmost = std::min(leftmost, box.left);
    rightmost = std::max(rightmost, box.left + box.size.width);
  }
  CHECK(std::abs(mirrored - 1000) < 112);  // five standard deviations of √(2000 / 4) = 22.4
  CHECK(smallest == 150);                  // 6/7 of 175
  CHECK(largest == 175);
  CHECK(leftmost == 0);
  CHECK(rightmost == 233);
  // Another epoch, image or seed is another view.
  const auto same = [&](const View& a, const View& b) {
    return a.box == b.box && a.mirrored == b.mirrored;
  };
  const View one = random_view(5, 3, 17, picture, shape);
  CHECK(same(one, random_view(5, 3, 17, picture, shape)));
  CHECK_FALSE(same(one, random_view(5, 4, 17, picture, shape)));
  CHECK_FALSE(same(one, random_view(5, 3, 18, picture, shape)));
  CHECK_FALSE(same(one, random_view(6, 3, 17, picture, shape)));
}
