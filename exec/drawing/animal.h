// SPDX-License-Identifier: Apache-2.0
// Cats and dogs, drawn. They differ in the shape of ears, snout, eyes, whiskers and tail; coat,
// pose, size and place are drawn from the same distributions for both.
#pragma once

#include <cstdint>

#include "exec/drawing/canvas.h"
#include "models/base/random.h"

namespace lockstep::exec {

enum class Species : std::uint8_t { Cat, Dog };

/// Draws one animal, all of whose properties come from `random`. `difficulty`, 0 … 1, makes it
/// smaller, more turned, and less typical of its kind.
void draw_animal(Canvas& canvas, Species species, float difficulty, Random& random);

}  // namespace lockstep::exec
