// SPDX-License-Identifier: Apache-2.0
// Labelled images from IDX files, the format of MNIST and Fashion-MNIST, gzipped or plain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network/network.h"

namespace lockstep::exec {

/// Images of one size, as they are in the file: one byte a pixel, row by row, one channel.
struct ImageSet {
  std::int32_t height = 0;
  std::int32_t width = 0;
  std::vector<std::uint8_t> pixels;  // count × height × width
  std::vector<std::uint8_t> labels;  // count

  std::int32_t count() const { return static_cast<std::int32_t>(labels.size()); }
  std::size_t pixels_per_image() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
};

struct Dataset {
  std::string folder;
  ImageSet train;
  ImageSet test;
};

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr const char* kFashionMnistFolder = "/usr/share/datasets/fashion-mnist";

/// One file of images (magic 0x00000803) and its file of labels (0x00000801). Throws ConfigError:
/// a file that is missing, damaged, truncated, of another kind, or longer than it says; as many
/// images as labels.
ImageSet load_idx(const std::string& images_path, const std::string& labels_path);

/// train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte of a folder, each plain or with ".gz"; "" is kFashionMnistFolder.
Dataset load_idx_folder(const std::string& folder);

/// Throws ConfigError unless every image has the size of the network's input, every label is one of
/// its classes, and there are training images for one batch.
void check_fits(const Dataset& dataset, const network::Network& network, std::int32_t batch);

}  // namespace lockstep::exec
