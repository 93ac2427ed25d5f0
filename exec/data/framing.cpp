// SPDX-License-Identifier: Apache-2.0
#include "exec/data/framing.h"

#include <algorithm>

#include "models/base/random.h"

namespace lockstep::exec {

namespace {

/// Keeps these random numbers apart from others that are drawn from the same seed.
constexpr std::uint64_t kStream = 0x76696577;  // "view"

/// a·b/c to the nearest whole number, at least 1.
std::int32_t scaled(std::int32_t a, std::int32_t b, std::int32_t c) {
  return static_cast<std::int32_t>(
      std::max<std::int64_t>(1, (2 * std::int64_t{a} * b + c) / (2 * std::int64_t{c})));
}

bool is_wider(Size picture, Size shape) {
  return std::int64_t{picture.width} * shape.height > std::int64_t{shape.width} * picture.height;
}

Size largest_within(Size picture, Size shape) {
  if (is_wider(picture, shape))
    return {picture.height,
            std::min(picture.width, scaled(shape.width, picture.height, shape.height))};
  return {std::min(picture.height, scaled(shape.height, picture.width, shape.width)),
          picture.width};
}

}  // namespace

Size cover(Size picture, Size least) {
  if (is_wider(picture, least))
    return {least.height,
            std::max(least.width, scaled(picture.width, least.height, picture.height))};
  return {std::max(least.height, scaled(picture.height, least.width, picture.width)), least.width};
}

Box centre_box(Size picture, Size shape) {
  const Size size = largest_within(picture, shape);
  return {(picture.height - size.height) / 2, (picture.width - size.width) / 2, size};
}

Size with_margin(Size shape) {
  return {(7 * shape.height + 5) / 6, (7 * shape.width + 5) / 6};
}

View random_view(std::uint64_t seed, std::int32_t epoch, std::int32_t image, Size picture,
                 Size shape) {
  Random random(Random(seed, kStream).next(), static_cast<std::uint64_t>(epoch),
                static_cast<std::uint64_t>(image));
  const Size largest = largest_within(picture, shape);
  constexpr std::int32_t kWhole = 1 << 14;
  const auto share =
      static_cast<std::int32_t>(kWhole - random.below(static_cast<std::uint64_t>(kWhole / 7 + 1)));
  const auto place = [&](std::int32_t room) {
    return static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(room) + 1));
  };
  View view;
  view.box.size = {scaled(largest.height, share, kWhole), scaled(largest.width, share, kWhole)};
  view.box.top = place(picture.height - view.box.size.height);
  view.box.left = place(picture.width - view.box.size.width);
  view.mirrored = random.below(2) == 1;
  return view;
}

}  // namespace lockstep::exec
