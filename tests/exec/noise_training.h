// SPDX-License-Identifier: Apache-2.0
// What tests that compare trainings train, and on what.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/data/dataset.h"
#include "exec/data/image_set.h"
#include "models/base/random.h"
#include "tests/exec/small_networks.h"

namespace lockstep::exec {

/// A convolution whose output is normalised, so that running means are tracked. Without a kink: in
/// a ReLU a difference by rounding can be the one between a gradient and none.
inline network::Network normalised() {
  return make_network(8, 8, 1, convolution(4, 3, 1, 1) + kNorm);
}

/// 90 images of five classes.
inline Dataset noise(const network::Network& network) {
  constexpr std::size_t kImages = 90;
  Random random(4);
  std::vector<std::uint8_t> pixels(kImages * network.input.elements()), labels(kImages);
  for (std::uint8_t& pixel : pixels)
    pixel = static_cast<std::uint8_t>(random.below(256));
  for (std::uint8_t& label : labels)
    label = static_cast<std::uint8_t>(random.below(5));
  const ImageFormat format{.size = {8, 8}};
  return {"",
          {},
          std::make_unique<StoredImages>(format, pixels, labels),
          std::make_unique<StoredImages>(format, pixels, labels)};
}

}  // namespace lockstep::exec
