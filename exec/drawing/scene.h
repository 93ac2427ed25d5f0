// SPDX-License-Identifier: Apache-2.0
// A picture of an animal somewhere: background, clutter, light, camera.
#pragma once

#include <cstdint>

#include "exec/data/picture.h"
#include "exec/drawing/animal.h"

namespace lockstep::exec {

struct SceneOptions {
  std::int32_t size = 350;  // about: the picture has size × size pixels, give or take a few
  float difficulty = 0.5f;  // 0 … 1
  std::uint64_t seed = 1;
};

/// Picture `number` of a species: it follows from these and the options alone. Everything but the
/// animal's species is drawn from the same distributions for both.
Picture draw_scene(Species species, std::int32_t number, const SceneOptions& options);

}  // namespace lockstep::exec
