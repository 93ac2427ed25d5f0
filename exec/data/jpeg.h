// SPDX-License-Identifier: Apache-2.0
// JPEG files to pictures and back (libjpeg-turbo).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/data/picture.h"

namespace lockstep::exec {

/// Decodes JPEG files; one per thread. Any bytes are safe to give.
class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// Decodes a whole file to `channels`: 3 is red, green, blue, 1 is grey. The picture is scaled
  /// while it is decoded, by the smallest of 1/8, 1/4, 1/2 and 1 that leaves it at least `wanted`
  /// in both directions; 1 if it is smaller than that. (libjpeg also knows the other eighths, but
  /// has vector code for these only: decoding at 5/8 takes longer than at 1.)
  ///
  /// Returns nothing, or why the file cannot be used: "is truncated or damaged: …". A file is used
  /// if libjpeg reads it to its end marker without a complaint about its data. CMYK is refused,
  /// and what claims more than kMostPixels. EXIF data, also its orientation, is ignored.
  std::optional<std::string> decode(std::span<const std::uint8_t> file, Size wanted,
                                    std::int32_t channels, Picture& into);

  static constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 26;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct JpegOptions {
  int quality = 90;  // 1 … 100
  bool progressive = false;
  bool halve_colours = true;  // colour at half the resolution, as cameras do (4:2:0)
};

/// The picture as a JPEG file.
std::vector<std::uint8_t> encode_jpeg(const Picture& picture, const JpegOptions& options);

}  // namespace lockstep::exec
