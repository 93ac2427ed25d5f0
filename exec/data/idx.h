// SPDX-License-Identifier: Apache-2.0
// Labelled images from IDX files, the format of MNIST and Fashion-MNIST, gzipped or plain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::exec {

/// Images of one size, as they are in the file: one byte a pixel, row by row, one channel.
struct IdxImages {
  std::int32_t height = 0;
  std::int32_t width = 0;
  std::vector<std::uint8_t> pixels;  // count × height × width
  std::vector<std::uint8_t> labels;  // count

  std::int32_t count() const { return static_cast<std::int32_t>(labels.size()); }
  std::size_t pixels_per_image() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
};

/// One file of images (magic 0x00000803) and its file of labels (0x00000801). Throws ConfigError:
/// a file that is missing, damaged, truncated, of another kind, or longer than it says; as many
/// images as labels.
IdxImages load_idx(const std::string& images_path, const std::string& labels_path);

/// Whether the folder has train-images-idx3-ubyte, plain or with ".gz".
bool is_idx_folder(const std::string& folder);

struct IdxParts {
  IdxImages train;
  IdxImages test;
};

/// train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte of a folder, each plain or with ".gz".
IdxParts load_idx_folder(const std::string& folder);

}  // namespace lockstep::exec
