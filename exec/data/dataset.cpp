// SPDX-License-Identifier: Apache-2.0
#include "exec/data/dataset.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "exec/data/checksum.h"
#include "exec/data/idx.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

namespace fs = std::filesystem;

std::unique_ptr<ImageSet> stored(IdxImages set, ImageFormat format) {
  format.size = {set.height, set.width};
  format.channels = 1;
  return std::make_unique<StoredImages>(format, std::move(set.pixels), std::move(set.labels));
}

void open_jpeg(Dataset& dataset, const ImageFiles& files, const training::Job& job,
               ImageFormat format, bool strict) {
  if (format.channels != 1 && format.channels != 3)
    throw ConfigError(dataset.folder,
                      "JPEG images have 3 channels or, as grey, 1, but the network takes " +
                          std::to_string(format.channels));
  SplitFiles parts = split(files, job.test_share, job.seed);
  dataset.classes = files.classes;
  dataset.train = std::make_unique<JpegImages>(std::move(parts.train), format, strict);
  format.augment = false;
  dataset.test = std::make_unique<JpegImages>(std::move(parts.test), format, strict);
}

std::string without_folder(const std::string& folder) {
  if (folder == kFashionMnistFolder)
    return "there is no such folder; Fashion-MNIST comes with `apt install dataset-fashion-mnist`";
  return "there is no such folder; expected one with the four IDX files of MNIST or Fashion-MNIST, "
         "or with JPEG files";
}

}  // namespace

Dataset open_dataset(const training::Job& job, const network::Shape& input, bool strict) {
  Dataset dataset;
  dataset.folder = job.data.empty() ? kFashionMnistFolder : job.data;
  if (!fs::is_directory(dataset.folder))
    throw ConfigError(dataset.folder, without_folder(dataset.folder));
  const ImageFormat format{.size = {input.height, input.width},
                           .channels = input.channels,
                           .augment = job.augment,
                           .seed = job.seed};
  // A folder with some of the IDX files is meant to have them all: load_idx_folder says what is
  // missing.
  if (!is_idx_folder(dataset.folder)) {
    const std::optional<ImageFiles> files = find_image_files(dataset.folder);
    if (!files)
      throw ConfigError(dataset.folder,
                        "has neither the four IDX files of MNIST or Fashion-MNIST "
                        "nor JPEG files named cat.0.jpg or cat/….jpg");
    open_jpeg(dataset, *files, job, format, strict);
    return dataset;
  }
  IdxParts parts = load_idx_folder(dataset.folder);
  dataset.train = stored(std::move(parts.train), format);
  dataset.test = stored(std::move(parts.test), {});
  return dataset;
}

std::uint64_t Dataset::fingerprint() const {
  Checksum checksum;
  for (ImageSet* images : {train.get(), test.get()}) {
    const JpegImages* files = jpeg(*images);
    for (std::int32_t image = 0; image < images->count(); ++image) {
      checksum.add(static_cast<std::uint64_t>(images->label(image)));
      if (files) checksum.add(files->files().files[static_cast<std::size_t>(image)].name);
    }
  }
  return checksum.value();
}

std::vector<Fault> Dataset::faults() const {
  std::vector<Fault> all = train->faults();
  const std::vector<Fault> more = test->faults();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

namespace {

void check_set(const ImageSet& images, const std::string& where, const network::Network& network) {
  const ImageFormat& format = images.format();
  const network::Shape shape{format.size.height, format.size.width, format.channels};
  if (shape != network.input)
    throw ConfigError(where, "its images are " + to_string(shape) + ", but the network \"" +
                                 network.name + "\" takes " + to_string(network.input));
  for (std::int32_t image = 0; image < images.count(); ++image)
    if (images.label(image) >= network.classes)
      throw ConfigError(where, "image " + std::to_string(image) + " has label " +
                                   std::to_string(images.label(image)) + ", but the network \"" +
                                   network.name + "\" has " + std::to_string(network.classes) +
                                   " classes (labels 0 … " + std::to_string(network.classes - 1) +
                                   ")");
}

}  // namespace

void check_fits(const Dataset& dataset, const network::Network& network, std::int32_t batch) {
  if (!dataset.classes.empty() &&
      dataset.classes.size() != static_cast<std::size_t>(network.classes)) {
    std::string names;
    for (const std::string& name : dataset.classes)
      names += (names.empty() ? "" : ", ") + name;
    throw ConfigError(dataset.folder, "has " + std::to_string(dataset.classes.size()) +
                                          " classes (" + names + "), but the network \"" +
                                          network.name + "\" tells " +
                                          std::to_string(network.classes) + " apart");
  }
  check_set(*dataset.train, dataset.folder + ": training images", network);
  check_set(*dataset.test, dataset.folder + ": test images", network);
  if (dataset.train->count() < batch)
    throw ConfigError(dataset.folder, "has " + std::to_string(dataset.train->count()) +
                                          " training images, fewer than one batch of " +
                                          std::to_string(batch));
}

namespace {

/// Others who ask for the same folder wait while this exists.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (folder_ < 0 || ::flock(folder_, LOCK_EX) != 0)
      throw ConfigError(folder, "cannot be opened");
  }
  ~FolderLock() { ::close(folder_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int folder_;
};

}  // namespace

void fill_cache(Dataset& dataset, const training::Job& job, std::size_t threads) {
  JpegImages* const train = Dataset::jpeg(*dataset.train);
  JpegImages* const test = Dataset::jpeg(*dataset.test);
  if (!train || !test || job.cache.empty()) return;
  if (job.cache == "memory") {
    train->keep_in_memory(job.cache_bytes, threads);
    test->keep_in_memory(job.cache_bytes, threads);
    return;
  }
  std::error_code error;
  fs::create_directories(job.cache, error);
  if (error) throw ConfigError(job.cache, "cannot be made a folder: " + error.message());
  const FolderLock lock(job.cache);
  train->keep_in_file(job.cache + "/train.pictures", job.cache_bytes, threads);
  test->keep_in_file(job.cache + "/test.pictures", job.cache_bytes, threads);
}

}  // namespace lockstep::exec
