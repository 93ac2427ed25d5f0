// SPDX-License-Identifier: Apache-2.0
// Scales a part of a picture, without aliasing, to the same bytes on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/data/picture.h"

namespace lockstep::exec {

/// A triangle filter along one axis: output i is Σ_t weights[i·taps + t] · input[first[i] + t]. Its
/// half-width is one input pixel when enlarging and one output pixel when shrinking, so that every
/// input pixel counts: bilinear, with antialiasing. All in whole numbers, so that nothing is left
/// to the rounding of a processor.
struct Triangles {
  static constexpr std::int32_t kOne = 1 << 14;  // what the weights of an output add up to

  std::int32_t inputs = 0;
  std::int32_t taps = 0;  // of each output; some may be zero
  bool mirrored = false;
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> weights;

  /// `mirrored`: the outputs in reverse order. Sizes from 1 to 65,536.
  void set(std::int32_t new_inputs, std::int32_t outputs, bool new_mirrored);
};

/// Keeps the memory that scaling needs; one per thread.
class Resizer {
 public:
  /// Scales `box` of `from` to `size` and writes size.height × size.width × channels bytes;
  /// mirrored, left becomes right. The box lies within the picture, which has 1 or 3 channels.
  void resize(const Picture& from, const Box& box, Size size, bool mirrored, std::uint8_t* into);

 private:
  void scale_down(const Picture& from, const Box& box, std::size_t output);

  Triangles down_;
  Triangles across_;
  std::vector<std::int32_t> row_;  // one output row, not yet scaled across, × 64
};

}  // namespace lockstep::exec
