// SPDX-License-Identifier: Apache-2.0
// A set of JPEG files: decoded when they are read, or once for all into a cache.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/data/image_files.h"
#include "exec/data/image_set.h"
#include "exec/data/jpeg.h"
#include "exec/data/picture_cache.h"

namespace lockstep::exec {

/// Makes prepared pictures of files: what does not depend on the epoch. Without augmentation that
/// is the middle of the picture at the format's size; with it the whole picture (at most twice
/// as long as the format), its shorter side with_margin. One per thread.
class PicturePreparer {
 public:
  explicit PicturePreparer(const ImageFormat& format) : format_(format) {}

  /// Returns nothing, or why the file cannot be used.
  std::optional<std::string> prepare(const std::string& path, Picture& into);
  std::optional<std::string> prepare(std::span<const std::uint8_t> file, Picture& into);

 private:
  ImageFormat format_;
  std::vector<std::uint8_t> file_;
  JpegDecoder decoder_;
  Picture decoded_;
  Resizer resizer_;
};

class JpegImages final : public ImageSet {
 public:
  /// With `strict`, a reader that meets a file that cannot be used throws ConfigError.
  JpegImages(ImageFiles files, ImageFormat format, bool strict);

  const ImageFormat& format() const override { return format_; }
  std::int32_t count() const override { return static_cast<std::int32_t>(files_.files.size()); }
  std::int32_t label(std::int32_t image) const override {
    return files_.files[static_cast<std::size_t>(image)].label;
  }
  std::unique_ptr<ImageReader> reader() const override;
  std::vector<Fault> faults() const override;

  const ImageFiles& files() const { return files_; }

  /// Prepares all pictures now, on `threads` threads, and keeps in memory what fits into
  /// `most_bytes`; the others are decoded whenever they are read. What readers give does not
  /// change.
  void keep_in_memory(std::uint64_t most_bytes, std::size_t threads);
  /// The same in a file, which is made anew unless it holds these very pictures (picture_cache.h).
  /// Throws ConfigError when it cannot be written.
  void keep_in_file(const std::string& path, std::uint64_t most_bytes, std::size_t threads);

 private:
  class Reader;
  std::unique_ptr<PictureCache> prepare_all(std::uint64_t most_bytes, std::size_t threads,
                                            PictureCacheBuilder& builder) const;
  std::uint64_t cache_key(std::uint64_t most_bytes) const;
  void note_fault(std::int32_t image, const std::string& reason) const;
  bool is_known_fault(std::int32_t image) const;

  ImageFiles files_;
  ImageFormat format_;
  bool strict_ = false;
  std::unique_ptr<PictureCache> cache_;
  mutable std::mutex mutex_;
  mutable std::map<std::int32_t, std::string> faults_;
};

}  // namespace lockstep::exec
