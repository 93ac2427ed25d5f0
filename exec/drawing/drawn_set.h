// SPDX-License-Identifier: Apache-2.0
// A folder of drawn JPEG files of two classes, cats and dogs: for tests and for a start without the
// real ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "exec/drawing/scene.h"

namespace lockstep::exec {

enum class Layout : std::uint8_t {
  Kaggle,   // train/cat.0.jpg, train/dog.0.jpg
  Folders,  // cat/0.jpg, dog/0.jpg
};

struct DrawnSet {
  std::int32_t images = 0;  // every other one is a cat, the first is
  Layout layout = Layout::Kaggle;
  SceneOptions scene;
};

/// One of its files: of each kind `number` counts from 0.
std::vector<std::uint8_t> draw_jpeg(Species species, std::int32_t number,
                                    const SceneOptions& options);

/// Writes the set to `folder`, which must not exist, on `threads` threads: beside it first, so that
/// there is never half a set under its name. Throws ConfigError when it cannot be written.
void draw_set(const DrawnSet& set, const std::string& folder, std::size_t threads);

}  // namespace lockstep::exec
