// SPDX-License-Identifier: Apache-2.0
// Folders of JPEG files: what is found in them, what readers and loaders make of it, caches.
#include "exec/data/jpeg_images.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "exec/data/dataset.h"
#include "exec/data/framing.h"
#include "exec/data/loader.h"
#include "exec/drawing/drawn_set.h"
#include "models/base/errors.h"
#include "tests/support/temporary_folder.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr ImageFormat kFormat{.size = {24, 24}, .channels = 3};
constexpr ImageFormat kAugmented{.size = {24, 24}, .channels = 3, .augment = true, .seed = 9};

/// `count` small drawn images of two classes in `folder`.
ImageFiles drawn(const std::string& folder, std::int32_t count) {
  draw_set({.images = count, .layout = Layout::Kaggle, .scene = {.size = 40}}, folder, 2);
  return find_image_files(folder).value();
}

Bytes read(const ImageSet& images, std::int32_t image, std::int32_t epoch) {
  Bytes pixels(images.format().bytes());
  REQUIRE(images.reader()->read(image, epoch, pixels.data()));
  return pixels;
}

/// All images in one epoch, one after the other.
Bytes all_of(const ImageSet& images, std::int32_t epoch) {
  Bytes all;
  for (std::int32_t image = 0; image < images.count(); ++image) {
    const Bytes pixels = read(images, image, epoch);
    all.insert(all.end(), pixels.begin(), pixels.end());
  }
  return all;
}

/// What all ranks together load for `iterations` global batches.
std::vector<float> loaded(const ImageSet& images, std::int32_t ranks, std::int32_t threads,
                          std::int32_t iterations, std::vector<std::int32_t>* labels = nullptr) {
  constexpr std::int32_t kBatch = 6;
  const double mean = 0.5, deviation = 0.25;
  std::vector<std::vector<float>> batches(static_cast<std::size_t>(iterations));
  for (Rank rank = 0; rank < ranks; ++rank) {
    Loader loader(images, Batcher(images.count(), kBatch, ranks, rank, 1),
                  Normaliser(3, {&mean, 1}, {&deviation, 1}), threads);
    std::vector<std::int32_t> share(static_cast<std::size_t>(loader.share()));
    std::vector<float> pixels(share.size() * images.format().bytes());
    for (std::vector<float>& batch : batches) {
      loader.take(pixels, share);
      batch.insert(batch.end(), pixels.begin(), pixels.end());
      if (labels) labels->insert(labels->end(), share.begin(), share.end());
    }
  }
  std::vector<float> all;
  for (const std::vector<float>& batch : batches)
    all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

TEST_CASE("image files: either layout, also within train, is found by itself", "[images]") {
  const TemporaryFolder folder;
  for (const char* name : {"k/dog.0.jpg", "k/cat.0.jpg", "k/cat.1.JPEG", "t/train/b.7.jpg",
                           "t/train/a.0.jpg", "c/dog/x.jpg", "c/cat/y.jpg", "c/empty/notes.txt",
                           "n/train/zebra/1.jpg", "n/train/ant/2.jpg", "n/test1/3.txt"})
    write_file(folder / name, std::string("x"));
  const auto names = [&](const std::string& path) {
    std::string text;
    const ImageFiles files = find_image_files(folder / path).value();
    for (const ImageFile& file : files.files)
      text += files.classes[static_cast<std::size_t>(file.label)] + "=" + file.name + " ";
    return text;
  };
  CHECK(names("k") == "cat=cat.0.jpg cat=cat.1.JPEG dog=dog.0.jpg ");
  CHECK(names("t") == "a=a.0.jpg b=b.7.jpg ");
  CHECK(names("t/train") == names("t"));
  CHECK(names("c") == "cat=cat/y.jpg dog=dog/x.jpg ");
  CHECK(names("n") == "ant=ant/2.jpg zebra=zebra/1.jpg ");
}

TEST_CASE("image files: what is no set of images is an error that says so", "[images]") {
  const TemporaryFolder folder;
  write_file(folder / "odd/cat.0.jpg", std::string("x"));
  write_file(folder / "odd/holiday.jpg", std::string("x"));
  write_file(folder / "one/cat.0.jpg", std::string("x"));
  write_file(folder / "none/readme.txt", std::string("x"));
  CHECK_THROWS_WITH(find_image_files(folder / "odd"),
                    (folder / "odd/holiday.jpg") +
                        ": does not say what it shows: beside the folder's other images expected "
                        "a name such as cat.0.jpg (class, number)");
  CHECK_THROWS_WITH(
      find_image_files(folder / "one"),
      (folder / "one") + ": has images of only one class, \"cat\"; expected two at least");
  CHECK_FALSE(find_image_files(folder / "none"));
  training::Job job;
  job.data = folder / "none";
  CHECK_THROWS_WITH(open_dataset(job, {8, 8, 3}, false),
                    Catch::Contains("has neither the four IDX files"));
  job.data = folder / "odd";
  std::filesystem::remove(folder / "odd/holiday.jpg");
  write_file(folder / "odd/dog.0.jpg", std::string("x"));
  CHECK_THROWS_WITH(open_dataset(job, {8, 8, 4}, false), Catch::Contains("network takes 4"));
}

TEST_CASE("split: each class in proportion, by the seed, every file once", "[images]") {
  ImageFiles files{"f", {"a", "b", "c"}, {}};
  constexpr std::array<int, 3> kCounts{100, 37, 2};
  for (std::int32_t label = 0; label < 3; ++label)
    for (int i = 0; i < kCounts[static_cast<std::size_t>(label)]; ++i)
      files.files.push_back(
          {files.classes[static_cast<std::size_t>(label)] + std::to_string(i), label});
  const SplitFiles parts = split(files, 0.2, 5);
  std::map<std::int32_t, int> tested;
  std::set<std::string> names;
  for (const ImageFile& file : parts.test.files) {
    ++tested[file.label];
    names.insert(file.name);
  }
  CHECK(tested == std::map<std::int32_t, int>{{0, 20}, {1, 7}});  // 0.4 of two files is none
  for (const ImageFile& file : parts.train.files)
    names.insert(file.name);
  CHECK(names.size() == files.files.size());
  CHECK(parts.train.files.size() + parts.test.files.size() == files.files.size());
  const auto tests_of = [&](std::uint64_t seed) {
    std::string text;
    for (const ImageFile& file : split(files, 0.2, seed).test.files)
      text += file.name + " ";
    return text;
  };
  CHECK(tests_of(5) == tests_of(5));
  CHECK(tests_of(5) != tests_of(6));
  CHECK(split(files, 0, 5).test.files.empty());
}

TEST_CASE("jpeg images: without augmentation the middle, scaled, in every epoch", "[images]") {
  const TemporaryFolder folder;
  const JpegImages images(drawn(folder / "set", 4), kFormat, false);
  const Bytes first = read(images, 1, 0);
  CHECK(read(images, 1, 7) == first);
  // By hand: decode, take the middle, scale.
  const std::string file = read_file(images.files().path(1));
  Picture decoded;
  REQUIRE_FALSE(JpegDecoder().decode(
      {reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, {24, 24}, 3, decoded));
  Bytes expected(first.size());
  Resizer().resize(decoded, centre_box(decoded.size, {24, 24}), {24, 24}, false, expected.data());
  CHECK(first == expected);
}

TEST_CASE("jpeg images: augmented, every epoch sees something else, the same on every reader",
          "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 4);
  const JpegImages images(files, kAugmented, false);
  const JpegImages again(files, kAugmented, false);
  for (const std::int32_t epoch : {0, 1, 2})
    CHECK(read(images, 2, epoch) == read(again, 2, epoch));
  CHECK(read(images, 2, 0) != read(images, 2, 1));
  ImageFormat other = kAugmented;
  other.seed = 10;
  CHECK(read(JpegImages(files, other, false), 2, 0) != read(images, 2, 0));
}

TEST_CASE("loader: any number of ranks and threads loads the same bits", "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 20);
  for (const ImageFormat& format : {kFormat, kAugmented}) {
    const JpegImages images(files, format, false);
    const std::vector<float> one = loaded(images, 1, 0, 8);  // over two epochs of 3 batches
    for (const std::int32_t ranks : {1, 2, 3, 5})
      for (const std::int32_t threads : {0, 1, 4}) {
        CAPTURE(format.augment, ranks, threads);
        CHECK(loaded(images, ranks, threads, 8) == one);
      }
  }
}

TEST_CASE("cache: in memory or in a file, whole or in part, the pictures are the same",
          "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 12);
  for (const ImageFormat& format : {kFormat, kAugmented}) {
    const JpegImages plain(files, format, false);
    const Bytes expected = all_of(plain, 3);
    for (const std::uint64_t most :
         {std::uint64_t{0}, std::uint64_t{9000}, std::uint64_t{1} << 30}) {
      CAPTURE(format.augment, most);
      JpegImages memory(files, format, false), file(files, format, false);
      memory.keep_in_memory(most, 2);
      CHECK(all_of(memory, 3) == expected);
      file.keep_in_file(folder / "cache", most, 2);
      CHECK(all_of(file, 3) == expected);
      JpegImages reopened(files, format, false);
      reopened.keep_in_file(folder / "cache", most, 2);
      CHECK(all_of(reopened, 3) == expected);
    }
  }
}

TEST_CASE("cache: a file is used while it is right, and made anew when it is not", "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 8);
  const std::string cache = folder / "cache";
  constexpr std::uint64_t kMost = 1 << 30;
  JpegImages images(files, kFormat, false);
  images.keep_in_file(cache, kMost, 1);
  const Bytes expected = all_of(images, 0);
  const std::string good = read_file(cache);
  CHECK(good.size() > expected.size());
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);

  // It is not written again while it is right.
  const auto age = [&](const std::string& path) { return std::filesystem::last_write_time(path); };
  const auto first_age = age(cache);
  JpegImages(files, kFormat, false).keep_in_file(cache, kMost, 1);
  CHECK(age(cache) == first_age);

  const auto is_made_anew = [&](const std::string& content) {
    write_file(cache, content);
    JpegImages other(files, kFormat, false);
    other.keep_in_file(cache, kMost, 1);
    CHECK(all_of(other, 0) == expected);
    CHECK(read_file(cache) == good);
  };
  is_made_anew("");
  is_made_anew("nonsense");
  for (std::size_t part = 1; part < 8; ++part)
    is_made_anew(good.substr(0, good.size() * part / 8));
  is_made_anew(good + "x");
  for (std::size_t place = 0; place < good.size(); place += good.size() / 97) {
    std::string damaged = good;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
    is_made_anew(damaged);
  }
  // Another format, another file of the same size, or an older one of the same name.
  JpegImages augmented(files, kAugmented, false);
  augmented.keep_in_file(cache, kMost, 1);
  CHECK(read_file(cache) != good);
  is_made_anew(read_file(cache));
  std::filesystem::last_write_time(files.path(0), age(files.path(0)) - std::chrono::seconds(1));
  JpegImages(files, kFormat, false).keep_in_file(cache, kMost, 1);
  CHECK(read_file(cache) != good);  // the key is another one
  CHECK_THROWS_WITH(images.keep_in_file(folder / "no/such/cache", kMost, 1),
                    Catch::Contains("cannot be written"));
}

TEST_CASE("faults: the next image stands in, the same on any rank, and is said once", "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 14);  // 7 cats, 7 dogs
  write_file(files.path(2), std::string());
  write_file(files.path(6), std::string("GIF89a"));  // the last cat: a dog stands in
  const std::string whole = read_file(files.path(13));
  write_file(files.path(13), whole.substr(0, whole.size() / 2));  // the last: the first stands in
  std::filesystem::remove(files.path(9));

  const JpegImages images(files, kAugmented, false);
  std::vector<std::int32_t> labels;
  const std::vector<float> one = loaded(images, 1, 0, 2, &labels);  // one epoch: 12 of 14
  CHECK(loaded(images, 3, 2, 2) == one);
  JpegImages cached(files, kAugmented, false);
  cached.keep_in_memory(1 << 30, 2);
  CHECK(loaded(cached, 2, 1, 2) == one);
  const std::vector<Fault> faults = cached.faults();
  REQUIRE(faults.size() == 4);
  CHECK(faults[0].file == "cat.2.jpg");
  CHECK(faults[0].reason == "is empty");
  CHECK(faults[1].reason == "is not a JPEG file");
  CHECK(faults[2].reason == "cannot be opened: No such file or directory");
  CHECK_THAT(faults[3].reason, Catch::StartsWith("is truncated or damaged: "));

  // The stand-in brings its own label: of image 6, a cat, a dog's.
  Loader loader(images, Batcher(14, 14, 1, 0, 1), Normaliser(3, std::vector{0.0}, std::vector{1.0}),
                0);
  Batcher batcher(14, 14, 1, 0, 1);
  std::vector<std::int32_t> all(14);
  std::vector<float> pixels(14 * kFormat.bytes());
  loader.take(pixels, all);
  for (std::int32_t position = 0; position < 14; ++position)
    if (batcher.image(0, position) == 6) CHECK(all[static_cast<std::size_t>(position)] == 1);
}

TEST_CASE("faults: with strict, or when nothing is left, they are errors", "[images]") {
  const TemporaryFolder folder;
  const ImageFiles files = drawn(folder / "set", 6);
  write_file(files.path(4), std::string());
  const JpegImages strict(files, kFormat, true);
  CHECK_THROWS_WITH(read_all(strict, 0, 6, 2), files.path(4) + ": is empty");
  for (const std::int32_t threads : {0, 2})
    CHECK_THROWS_WITH(loaded(strict, 1, threads, 1), files.path(4) + ": is empty");
  JpegImages kept(files, kFormat, true);
  CHECK_THROWS_WITH(kept.keep_in_file(folder / "cache", 1 << 30, 2), files.path(4) + ": is empty");
  CHECK_FALSE(std::filesystem::exists(folder / "cache"));
  for (std::size_t file = 0; file < 6; ++file)
    write_file(files.path(file), std::string());
  const JpegImages nothing(files, kFormat, false);
  for (const std::int32_t threads : {0, 2})
    CHECK_THROWS_WITH(loaded(nothing, 1, threads, 1),
                      "none of the 6 training images can be used: cat.0.jpg is empty");
}

TEST_CASE("dataset: the fingerprint tells sets apart by their names and labels", "[images]") {
  const TemporaryFolder folder;
  drawn(folder / "a", 10);
  drawn(folder / "b", 10);
  training::Job job;
  const auto fingerprint = [&](const std::string& name) {
    job.data = folder / name;
    return open_dataset(job, {24, 24, 3}, false).fingerprint();
  };
  const std::uint64_t one = fingerprint("a");
  CHECK(fingerprint("b") == one);
  std::filesystem::rename(folder / "b/train/cat.0.jpg", folder / "b/train/cat.00.jpg");
  CHECK(fingerprint("b") != one);
  job.seed = 2;  // another split
  CHECK(fingerprint("a") != one);
}
