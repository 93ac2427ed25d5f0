// SPDX-License-Identifier: Apache-2.0
// Prepared pictures kept in memory or in a file, so that JPEG files are decoded once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "exec/data/picture.h"

namespace lockstep::exec {

/// Any number of threads may get pictures at one time.
class PictureCache {
 public:
  virtual ~PictureCache() = default;
  /// False if the picture is not kept, or cannot be read any more.
  virtual bool get(std::int32_t image, Picture& into) const = 0;
};

/// Makes a cache of pictures, which come in the order of their images.
class PictureCacheBuilder {
 public:
  virtual ~PictureCacheBuilder() = default;
  /// A picture without pixels stands for an image that is not kept.
  virtual void add(const Picture& picture) = 0;
  virtual std::unique_ptr<PictureCache> finish() = 0;
};

std::unique_ptr<PictureCacheBuilder> build_in_memory();

/// The file is written beside `path` and gets its name when it is finished. It holds the pixels of
/// all pictures, then place and size of each, then a footer with `key`, which stands for everything
/// that the pictures depend on, and a checksum of it all. Throws ConfigError when it cannot
/// be written.
std::unique_ptr<PictureCacheBuilder> build_in_file(const std::string& path, std::uint64_t key);

/// The file at `path` if it holds `images` pictures for `key` and every byte is as it was written;
/// nothing otherwise.
std::unique_ptr<PictureCache> open_cache_file(const std::string& path, std::uint64_t key,
                                              std::int32_t images);

}  // namespace lockstep::exec
