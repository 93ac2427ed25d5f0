// SPDX-License-Identifier: Apache-2.0
// The images of a job: those to train on and those to test with, of whatever kind the folder holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exec/data/image_set.h"
#include "exec/data/jpeg_images.h"
#include "models/network/network.h"
#include "models/training/job.h"

namespace lockstep::exec {

struct Dataset {
  std::string folder;
  std::vector<std::string> classes;  // by label; none where the files give labels only numbers
  std::unique_ptr<ImageSet> train;
  std::unique_ptr<ImageSet> test;  // never augmented

  bool is_jpeg() const { return jpeg(*train) != nullptr; }
  /// What the order and the labels of the images follow from: the same on every rank.
  std::uint64_t fingerprint() const;
  /// Those of both parts.
  std::vector<Fault> faults() const;

  static JpegImages* jpeg(ImageSet& images) { return dynamic_cast<JpegImages*>(&images); }
};

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr const char* kFashionMnistFolder = "/usr/share/datasets/fashion-mnist";

/// Opens job.data ("" is kFashionMnistFolder): the four IDX files of MNIST (idx.h), read whole, or
/// JPEG files (image_files.h), which are listed only and will be of `input`'s size. JPEG files are
/// split into both parts by job.seed. With `strict`, reading a file that cannot be used throws.
/// Throws ConfigError: there is neither; what idx.h and image_files.h throw; `input` has other than
/// 1 or 3 channels.
Dataset open_dataset(const training::Job& job, const network::Shape& input, bool strict);

/// Throws ConfigError unless the images have the size of the network's input, every label is one of
/// its classes, and there are training images for one batch.
void check_fits(const Dataset& dataset, const network::Network& network, std::int32_t batch);

/// Keeps the pictures as job.cache says: "memory", or files in that folder, which is made. Ranks of
/// one host do this one after the other, so that the first one makes the files. Nothing for "" and
/// for IDX. Throws ConfigError.
void fill_cache(Dataset& dataset, const training::Job& job, std::size_t threads);

}  // namespace lockstep::exec
