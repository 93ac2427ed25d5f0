// SPDX-License-Identifier: Apache-2.0
// Which part of a picture the network sees.
#pragma once

#include <cstdint>

#include "exec/data/picture.h"

namespace lockstep::exec {

/// Sizes and proportions: the smallest size that has the proportions of `picture` (rounded to whole
/// pixels) and is at least `least` in both directions.
Size cover(Size picture, Size least);

/// The largest box in the middle of a picture with the proportions of `shape`, to whole pixels.
Box centre_box(Size picture, Size shape);

/// What an augmented picture is prepared with beyond the size that the network takes: room to crop
/// from. A sixth: as usual for photographs (224 of 256 is a seventh), and 150 pixels become 175,
/// which is half of 350.
Size with_margin(Size shape);

struct View {
  Box box{};
  bool mirrored = false;
};

/// A box with sides of 6/7 to all of the largest one's that has the proportions of `shape`,
/// anywhere in the picture; mirrored or not. It follows from the numbers alone, in whole numbers:
/// the same on every machine, rank and thread.
View random_view(std::uint64_t seed, std::int32_t epoch, std::int32_t image, Size picture,
                 Size shape);

}  // namespace lockstep::exec
