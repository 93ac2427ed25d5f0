// SPDX-License-Identifier: Apache-2.0
// Drawn images: the same for the same seed, different otherwise, and telling nothing by colour.
#include "exec/drawing/drawn_set.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "exec/data/image_files.h"
#include "models/base/errors.h"
#include "tests/support/temporary_folder.h"

using namespace lockstep;
using namespace lockstep::exec;

TEST_CASE("drawing: a picture follows from species, number and options", "[drawing]") {
  const SceneOptions options{.size = 60, .difficulty = 0.5f, .seed = 3};
  const std::vector<std::uint8_t> one = draw_jpeg(Species::Cat, 4, options);
  CHECK(draw_jpeg(Species::Cat, 4, options) == one);
  CHECK(draw_jpeg(Species::Dog, 4, options) != one);
  CHECK(draw_jpeg(Species::Cat, 5, options) != one);
  for (const SceneOptions& other :
       {SceneOptions{61, 0.5f, 3}, SceneOptions{60, 0.6f, 3}, SceneOptions{60, 0.5f, 4}})
    CHECK(draw_jpeg(Species::Cat, 4, other) != one);
}

TEST_CASE("drawing: about the size that was asked for, upright or not", "[drawing]") {
  int upright = 0;
  for (std::int32_t number = 0; number < 40; ++number) {
    const Picture picture = draw_scene(Species::Dog, number, {.size = 80});
    const double pixels = static_cast<double>(picture.size.pixels());
    CHECK(pixels == Approx(80.0 * 80).epsilon(0.02));
    const double ratio = double(picture.size.width) / picture.size.height;
    CHECK(ratio > 1 / 1.55);
    CHECK(ratio < 1.55);
    upright += ratio < 1;
  }
  CHECK(upright > 0);
  CHECK(upright < 30);
}

TEST_CASE("drawing: the mean colour does not tell cats from dogs", "[drawing]") {
  constexpr int kEach = 150;
  double mean[2][3] = {}, square[2][3] = {};
  for (const Species species : {Species::Cat, Species::Dog})
    for (std::int32_t number = 0; number < kEach; ++number) {
      const Picture picture = draw_scene(species, number, {.size = 48});
      double sums[3] = {};
      for (std::size_t i = 0; i < picture.pixels.size(); ++i)
        sums[i % 3] += picture.pixels[i];
      for (int c = 0; c < 3; ++c) {
        const double colour = sums[c] / static_cast<double>(picture.size.pixels());
        mean[static_cast<int>(species)][c] += colour / kEach;
        square[static_cast<int>(species)][c] += colour * colour / kEach;
      }
    }
  for (int c = 0; c < 3; ++c) {
    // Four standard deviations of the difference of two means.
    const double variance =
        square[0][c] - mean[0][c] * mean[0][c] + square[1][c] - mean[1][c] * mean[1][c];
    CHECK(std::abs(mean[0][c] - mean[1][c]) < 4 * std::sqrt(variance / kEach));
  }
}

TEST_CASE("drawing: a set in either layout is found again, on any number of threads", "[drawing]") {
  const TemporaryFolder folder;
  const auto make = [&](const std::string& name, Layout layout, std::size_t threads) {
    draw_set({.images = 7, .layout = layout, .scene = {.size = 32}}, folder / name, threads);
    return find_image_files(folder / name).value();
  };
  const ImageFiles kaggle = make("kaggle", Layout::Kaggle, 1);
  const ImageFiles folders = make("folders", Layout::Folders, 3);
  CHECK(kaggle.classes == std::vector<std::string>{"cat", "dog"});
  CHECK(folders.classes == kaggle.classes);
  REQUIRE(kaggle.files.size() == 7);  // cats 0, 2, 4, 6
  CHECK(kaggle.files[3].name == "cat.3.jpg");
  CHECK(folders.files[4].name == "dog/0.jpg");
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(kaggle.files[i].label == (i < 4 ? 0 : 1));
    CHECK(read_file(kaggle.path(i)) == read_file(folders.path(i)));
  }
  CHECK_THROWS_WITH(make("kaggle", Layout::Kaggle, 1), folder / "kaggle" + ": exists already");
  CHECK_THROWS_AS(make("no/such/folder", Layout::Kaggle, 1), ConfigError);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}
