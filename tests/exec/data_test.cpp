// SPDX-License-Identifier: Apache-2.0
// IDX files, right and wrong, and the images that each rank gets from them.
#include <zlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <numeric>

#include "exec/data/dataset.h"
#include "exec/data/idx.h"
#include "exec/data/loader.h"
#include "models/base/errors.h"
#include "tests/support/temporary_folder.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

/// Big-endian, as IDX has it.
std::string number(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

/// Pixel p of image i is (10 i + p) mod 256.
std::string images_file(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  std::string file = number(0x803) + number(count) + number(height) + number(width);
  for (std::uint32_t i = 0; i < count; ++i)
    for (std::uint32_t p = 0; p < height * width; ++p)
      file += static_cast<char>(10 * i + p);
  return file;
}

/// The label of image i is i mod 10.
std::string labels_file(std::uint32_t count) {
  std::string file = number(0x801) + number(count);
  for (std::uint32_t i = 0; i < count; ++i)
    file += static_cast<char>(i % 10);
  return file;
}

void write_gzip(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(gzwrite(file, content.data(), static_cast<unsigned>(content.size())) ==
          static_cast<int>(content.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

/// The error of loading two files with these contents, without the folder's name.
std::string error_of(const std::string& images, const std::string& labels) {
  const TemporaryFolder folder;
  write_file(folder / "images", images);
  write_file(folder / "labels", labels);
  try {
    load_idx(folder / "images", folder / "labels");
  } catch (const ConfigError& error) {
    std::string text = error.what();
    for (std::size_t at; (at = text.find(folder / "")) != std::string::npos;)
      text.erase(at, (folder / "").size());
    return text;
  }
  return "no error";
}

/// `count` images of 2×2 pixels: pixel p of image i is 10 i + p, its label i.
std::unique_ptr<StoredImages> image_set(std::int32_t count) {
  std::vector<std::uint8_t> pixels, labels;
  for (std::int32_t i = 0; i < count; ++i) {
    for (std::int32_t p = 0; p < 4; ++p)
      pixels.push_back(static_cast<std::uint8_t>(10 * i + p));
    labels.push_back(static_cast<std::uint8_t>(i));
  }
  return std::make_unique<StoredImages>(ImageFormat{.size = {2, 2}}, pixels, labels);
}

/// The numbers of the images of a whole batch put together from all ranks.
std::vector<std::int32_t> batch_of(std::int32_t images, std::int32_t batch, std::int32_t ranks,
                                   std::uint64_t seed, std::int32_t iteration) {
  std::vector<std::int32_t> all;
  for (Rank rank = 0; rank < ranks; ++rank) {
    Batcher batcher(images, batch, ranks, rank, seed);
    for (std::int32_t position = 0; position < batcher.share(); ++position)
      all.push_back(batcher.image(iteration, position));
  }
  return all;
}

}  // namespace

TEST_CASE("idx: plain and gzipped files hold the same images", "[data]") {
  const TemporaryFolder folder;
  write_file(folder / "i", images_file(3, 2, 4));
  write_file(folder / "l", labels_file(3));
  write_gzip(folder / "i.gz", images_file(3, 2, 4));
  write_gzip(folder / "l.gz", labels_file(3));
  for (const std::string end : {"", ".gz"}) {
    const IdxImages set = load_idx(folder / ("i" + end), folder / ("l" + end));
    CHECK(set.count() == 3);
    CHECK(set.height == 2);
    CHECK(set.width == 4);
    REQUIRE(set.pixels.size() == 3 * 2 * 4);
    CHECK(set.pixels[0] == 0);
    CHECK(set.pixels[2 * 8 + 7] == 27);  // image 2, pixel 7: 10 × 2 + 7
    CHECK(set.labels == std::vector<std::uint8_t>{0, 1, 2});
  }
}

TEST_CASE("idx: wrong files are errors that name the file and the fault", "[data]") {
  const std::string images = images_file(3, 2, 2);
  const std::string labels = labels_file(3);
  CHECK(error_of(images, labels) == "no error");
  CHECK(error_of("", labels) == "images: is truncated: it ends within its header");
  CHECK(error_of(images.substr(0, 10), labels) ==
        "images: is truncated: it ends within its header");
  // 3 images of 2×2 are 12 bytes.
  CHECK(error_of(images.substr(0, images.size() - 1), labels) ==
        "images: is truncated: its header promises 12 bytes of data, it has 11");
  CHECK(error_of(images + "x", labels) ==
        "images: is longer than the 12 bytes of data that its header promises");
  CHECK(error_of(images, labels.substr(0, labels.size() - 2)) ==
        "labels: is truncated: its header promises 3 bytes of data, it has 1");
  CHECK(error_of(labels, images) ==
        "images: is not an IDX file of images: must start with 0x00000803, starts with 0x00000801");
  CHECK(error_of(images, images) ==
        "labels: is not an IDX file of labels: must start with 0x00000801, starts with 0x00000803");
  CHECK(error_of(images, labels_file(4)) == "labels: has 4 labels, but \"images\" has 3 images");
  CHECK(error_of(number(0x803) + number(1) + number(0) + number(2), labels_file(1)) ==
        "images: images must be 1x1 to 32768x32768, are 0x2");
  // A header that promises 2^31 − 1 images of 32768×32768 must not take the memory for them.
  CHECK(error_of(number(0x803) + number(INT32_MAX) + number(32768) + number(32768) + "abc",
                 number(0x801) + number(INT32_MAX)) ==
        "images: is truncated: its header promises 2305843008139952128 bytes of data, it has 3");
  CHECK_THROWS_WITH(load_idx("/nowhere/images", "/nowhere/labels"),
                    "/nowhere/images: there is no such file");
}

TEST_CASE("idx: a gzipped file that was cut or changed is an error", "[data]") {
  const TemporaryFolder folder;
  std::string content = images_file(500, 8, 8);
  write_gzip(folder / "i.gz", content);
  write_gzip(folder / "l.gz", labels_file(500));
  const std::string whole = read_file(folder / "i.gz");

  write_file(folder / "i.gz", whole.substr(0, whole.size() / 2));
  CHECK_THROWS_WITH(load_idx(folder / "i.gz", folder / "l.gz"),
                    (folder / "i.gz") + ": is truncated: its compressed data ends early");
  // All the pixels are there, but not the checksum (the last 8 bytes are it and the length).
  write_file(folder / "i.gz", whole.substr(0, whole.size() - 8));
  CHECK_THROWS_WITH(load_idx(folder / "i.gz", folder / "l.gz"),
                    (folder / "i.gz") + ": is truncated: its compressed data ends early");
  std::string changed = whole;
  changed[whole.size() - 8] = static_cast<char>(changed[whole.size() - 8] ^ 1);
  write_file(folder / "i.gz", changed);
  CHECK_THROWS_WITH(load_idx(folder / "i.gz", folder / "l.gz"),
                    Catch::StartsWith((folder / "i.gz") + ": is damaged: "));
}

TEST_CASE("idx: a folder has four files, each plain or gzipped", "[data]") {
  const TemporaryFolder folder;
  write_gzip(folder / "train-images-idx3-ubyte.gz", images_file(5, 2, 2));
  write_file(folder / "train-labels-idx1-ubyte", labels_file(5));
  write_file(folder / "t10k-images-idx3-ubyte", images_file(2, 2, 2));
  CHECK_THROWS_WITH(load_idx_folder(folder.path()), folder.path() +
                                                        ": has neither t10k-labels-idx1-ubyte nor "
                                                        "t10k-labels-idx1-ubyte.gz");
  write_gzip(folder / "t10k-labels-idx1-ubyte.gz", labels_file(2));
  training::Job job;
  job.data = folder.path();
  const Dataset dataset = open_dataset(job, {2, 2, 1}, false);
  CHECK(dataset.train->count() == 5);
  CHECK(dataset.test->count() == 2);
  CHECK_FALSE(dataset.is_jpeg());
  job.data = folder / "none";
  CHECK_THROWS_WITH(open_dataset(job, {2, 2, 1}, false),
                    Catch::StartsWith((folder / "none") + ": there is no such folder"));
}

TEST_CASE("idx: images that do not fit the network are an error", "[data]") {
  network::Network network;
  network.name = "net";
  network.input = {2, 2, 1};
  network.classes = 10;
  const Dataset dataset{"folder", {}, image_set(10), image_set(4)};
  CHECK_NOTHROW(check_fits(dataset, network, 10));
  CHECK_THROWS_WITH(check_fits(dataset, network, 11),
                    "folder: has 10 training images, fewer than one batch of 11");
  network.classes = 9;
  CHECK_THROWS_WITH(check_fits(dataset, network, 10),
                    "folder: training images: image 9 has label 9, but the network \"net\" has 9 "
                    "classes (labels 0 … 8)");
  network.input = {4, 2, 1};
  CHECK_THROWS_WITH(check_fits(dataset, network, 10),
                    "folder: training images: its images are 2x2x1, but the network \"net\" takes "
                    "4x2x1");
}

TEST_CASE("batcher: the global batch is the same for any number of ranks", "[data]") {
  for (const std::int32_t iteration : {0, 1, 2, 3, 8})
    for (const std::int32_t ranks : {2, 3, 7})
      CHECK(batch_of(25, 7, ranks, 42, iteration) == batch_of(25, 7, 1, 42, iteration));
}

TEST_CASE("batcher: with a larger batch it goes on where the one before ended", "[data]") {
  // 45 images: batches of 10 up to iteration 6, of 20 from there on, the place 20 of epoch 1.
  for (const std::int32_t ranks : {1, 3}) {
    const auto larger = [&](std::int32_t iteration) {
      std::vector<std::int32_t> images;
      for (Rank rank = 0; rank < ranks; ++rank) {
        Batcher batcher(45, 20, ranks, rank, 7, 1, {6, {1, 20}});
        for (std::int32_t i = 0; i < batcher.share(); ++i)
          images.push_back(batcher.image(iteration, i));
      }
      return images;
    };
    std::vector<std::int32_t> two = batch_of(45, 10, 1, 7, 6), next = batch_of(45, 10, 1, 7, 7);
    two.insert(two.end(), next.begin(), next.end());
    CHECK(larger(6) == two);
    CHECK(larger(7) == batch_of(45, 20, 1, 7, 2 * 2));  // 5 images left over: epoch 2 begins
    CHECK(larger(8) == batch_of(45, 20, 1, 7, 2 * 2 + 1));
    CHECK(larger(9) == batch_of(45, 20, 1, 7, 3 * 2));
  }
}

TEST_CASE("batcher: an epoch has every image at most once and drops the incomplete batch",
          "[data]") {
  CHECK(Batcher(25, 7, 1, 0, 1).iterations_per_epoch() == 3);  // 25 / 7, 4 images left over
  for (const std::int32_t epoch : {0, 1}) {
    std::vector<std::int32_t> seen;
    for (std::int32_t i = 0; i < 3; ++i) {
      const std::vector<std::int32_t> batch = batch_of(25, 7, 2, 1, 3 * epoch + i);
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    CHECK(seen.size() == 21);
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  }
}

TEST_CASE("batcher: epochs and seeds have orders of their own, iterations come in any order",
          "[data]") {
  const std::vector<std::int32_t> first = batch_of(25, 25, 1, 1, 0);
  std::vector<std::int32_t> in_order(25);
  std::iota(in_order.begin(), in_order.end(), 0);
  CHECK(std::is_permutation(first.begin(), first.end(), in_order.begin(), in_order.end()));
  // Each pair agrees by chance with probability 1 / 25!.
  CHECK(first != in_order);
  CHECK(first != batch_of(25, 25, 1, 1, 1));
  CHECK(first != batch_of(25, 25, 1, 2, 0));
  Batcher batcher(25, 25, 1, 0, 1);
  const std::int32_t later = batcher.image(7, 3);
  CHECK(batcher.image(0, 3) == first[3]);
  CHECK(batcher.image(7, 3) == later);
}

TEST_CASE("normaliser: (byte / 255 − mean) / deviation, channel by channel", "[data]") {
  const auto number_of = [](std::uint8_t byte) {
    float number = 0;
    const double zero = 0, one = 1;
    Normaliser(1, {&zero, 1}, {&one, 1}).apply({&byte, 1}, {&number, 1});
    return number;
  };
  for (int byte = 0; byte < 256; ++byte)
    CHECK(number_of(static_cast<std::uint8_t>(byte)) == static_cast<float>(byte) / 255.0f);
  // 130 pixels of three channels: whole vectors, and what is left over.
  const std::vector<double> mean{0.5, 0.25, 0}, deviation{0.5, 0.25, 2};
  std::vector<std::uint8_t> pixels(390);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(7 * i);
  std::vector<float> numbers(pixels.size());
  Normaliser(3, mean, deviation).apply(pixels, numbers);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    CHECK(static_cast<double>(numbers[i]) ==
          Approx((pixels[i] / 255.0 - mean[i % 3]) / deviation[i % 3]).margin(1e-6));
}

TEST_CASE("loader: pixels and labels belong together, with threads and without", "[data]") {
  const std::unique_ptr<StoredImages> images = image_set(25);
  const double zero = 0, one = 1;
  for (const std::int32_t threads : {0, 1, 3}) {
    Batcher batcher(25, 6, 2, 1, 3);
    Loader loader(*images, batcher, Normaliser(1, {&zero, 1}, {&one, 1}), threads);
    REQUIRE(loader.share() == 3);
    std::vector<std::int32_t> labels(3);
    std::vector<float> pixels(12);
    for (std::int32_t iteration = 0; iteration < 9; ++iteration) {  // over two epochs
      loader.take(pixels, labels);
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(labels[i] == batcher.image(iteration, static_cast<std::int32_t>(i)));
        for (std::size_t p = 0; p < 4; ++p)
          CHECK(pixels[i * 4 + p] ==
                static_cast<float>(10 * labels[i] + static_cast<std::int32_t>(p)) / 255.0f);
      }
    }
    CHECK(loader.cost().images >= 27);
  }
}

TEST_CASE("idx: Debian's Fashion-MNIST loads, where it is installed", "[data]") {
  if (!std::filesystem::exists(kFashionMnistFolder)) {
    WARN("dataset-fashion-mnist is not installed");
    return;
  }
  const IdxParts parts = load_idx_folder(kFashionMnistFolder);
  CHECK(parts.train.count() == 60000);
  CHECK(parts.test.count() == 10000);
  CHECK(parts.train.height == 28);
  CHECK(parts.train.width == 28);
  // 6000 images of each of 10 classes.
  for (std::uint8_t label = 0; label < 10; ++label)
    CHECK(std::count(parts.train.labels.begin(), parts.train.labels.end(), label) == 6000);
}
