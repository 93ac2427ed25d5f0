// SPDX-License-Identifier: Apache-2.0
// Labelled images of one size, wherever they come from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exec/data/picture.h"
#include "exec/data/resize.h"

namespace lockstep::exec {

/// How the network sees the images of a set.
struct ImageFormat {
  Size size{};
  std::int32_t channels = 1;
  bool augment = false;    // another part of the picture, mirrored or not, in every epoch
  std::uint64_t seed = 0;  // of the augmentation

  std::size_t bytes() const { return size.pixels() * static_cast<std::size_t>(channels); }
};

/// Reads images of a set; one per thread.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  /// Writes the image as it is seen in `epoch`: format().bytes(), laid out as in a Picture. They
  /// follow from the image, the epoch and the format alone, whoever reads. False if the image's
  /// file cannot be used; then what was written is undefined.
  virtual bool read(std::int32_t image, std::int32_t epoch, std::uint8_t* pixels) = 0;
};

/// A file that cannot be used, and why: "is truncated or damaged: …".
struct Fault {
  std::string file;
  std::string reason;
};

/// A set of images, numbered from 0. Its readers must not outlive it; any thread may make one.
class ImageSet {
 public:
  virtual ~ImageSet() = default;
  virtual const ImageFormat& format() const = 0;
  virtual std::int32_t count() const = 0;
  virtual std::int32_t label(std::int32_t image) const = 0;
  virtual std::unique_ptr<ImageReader> reader() const = 0;
  /// Those that readers have met so far, by the image's number.
  virtual std::vector<Fault> faults() const { return {}; }
};

/// From the prepared picture of an image to what is seen of it in an epoch: without augmentation it
/// is that picture.
void show(const Picture& prepared, const ImageFormat& format, std::int32_t image,
          std::int32_t epoch, Resizer& resizer, std::uint8_t* pixels);

/// Reads images [first, first + count), on `threads` threads, and throws them away: what is the
/// matter with any shows (faults(), or what a strict set throws).
void read_all(const ImageSet& images, std::int32_t first, std::int32_t count, std::size_t threads);

/// Images whose pixels are at hand, one after the other.
class StoredImages final : public ImageSet {
 public:
  /// `pixels`: format.bytes() for each label.
  StoredImages(ImageFormat format, std::vector<std::uint8_t> pixels,
               std::vector<std::uint8_t> labels);

  const ImageFormat& format() const override { return format_; }
  std::int32_t count() const override { return static_cast<std::int32_t>(labels_.size()); }
  std::int32_t label(std::int32_t image) const override {
    return labels_[static_cast<std::size_t>(image)];
  }
  std::unique_ptr<ImageReader> reader() const override;

 private:
  ImageFormat format_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
};

}  // namespace lockstep::exec
