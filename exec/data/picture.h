// SPDX-License-Identifier: Apache-2.0
// Pixels as bytes: what files hold and what is kept of them. Numbers for the network come later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockstep::exec {

struct Size {
  std::int32_t height = 0;
  std::int32_t width = 0;

  std::size_t pixels() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
  friend bool operator==(const Size&, const Size&) = default;
};

/// A rectangle of whole pixels.
struct Box {
  std::int32_t top = 0;
  std::int32_t left = 0;
  Size size{};

  friend bool operator==(const Box&, const Box&) = default;
};

/// height × width × channels bytes: row by row, the channels of a pixel together (red, green, blue;
/// or grey alone).
struct Picture {
  Size size{};
  std::int32_t channels = 0;
  std::vector<std::uint8_t> pixels;

  /// Sets the shape; the pixels are whatever they were.
  void reshape(Size new_size, std::int32_t new_channels) {
    size = new_size;
    channels = new_channels;
    pixels.resize(size.pixels() * static_cast<std::size_t>(channels));
  }
};

}  // namespace lockstep::exec
