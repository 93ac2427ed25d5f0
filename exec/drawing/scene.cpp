// SPDX-License-Identifier: Apache-2.0
#include "exec/drawing/scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "exec/drawing/shapes.h"
#include "models/base/random.h"

namespace lockstep::exec {

namespace {

float between(Random& random, float low, float high) {
  return mix(low, high, static_cast<float>(random.uniform()));
}

Colour any_colour(Random& random) {
  const float brightness = between(random, 0.1f, 0.95f);
  const float colourful = between(random, 0, 0.5f);
  const auto part = [&] { return brightness * (1 - colourful * between(random, 0, 1)); };
  return {part(), part(), part()};
}

/// A wall and a floor, or grass, or a blur of colours: two textures and a border between them.
void draw_background(Canvas& canvas, Random& random) {
  struct Texture {
    Colour colour, other;
    Noise noise;
    Point stretch;
    float sharp;
  };
  const auto texture = [&] {
    return Texture{any_colour(random),
                   any_colour(random),
                   Noise(random.next()),
                   {between(random, 0.01f, 0.12f), between(random, 0.01f, 0.12f)},
                   between(random, 0.1f, 1)};
  };
  const std::array<Texture, 2> textures{texture(), texture()};
  const Noise grain(random.next());
  const float strength = between(random, 0.05f, 0.35f);
  const float border = static_cast<float>(canvas.size().height) * between(random, -0.2f, 1.2f);
  const float slope = between(random, -0.3f, 0.3f);
  const float soft = between(random, 1, 40);
  canvas.fill([&](Point p, Colour) {
    const float below = smooth_step(-soft, soft, p.y - border - slope * p.x);
    Colour colour{};
    for (std::size_t i = 0; i < 2; ++i) {
      const float share = i == 1 ? below : 1 - below;
      if (share <= 0) continue;
      const Texture& one = textures[i];
      const float level = one.noise.layered({one.stretch.x * p.x, one.stretch.y * p.y}, 3, 0.55f);
      colour =
          colour + share * mix(one.colour, one.other, smooth_step(-one.sharp, one.sharp, level));
    }
    return (1 + strength * grain.layered(0.25f * p, 2, 0.9f)) * colour;
  });
}

/// Things that are neither: boxes, balls, sticks and triangles, plain or grained. Where the shape
/// of a part of an animal is all that tells its kind, clutter has such shapes too.
void draw_thing(Canvas& canvas, Random& random, float largest) {
  const auto width = static_cast<float>(canvas.size().width);
  const auto height = static_cast<float>(canvas.size().height);
  const float unit = std::min(width, height) * between(random, 0.04f, largest);
  const Frame frame({between(random, 0, width), between(random, 0, height)}, unit,
                    between(random, 0, 2 * std::numbers::pi_v<float>));
  const Colour colour = any_colour(random), other = any_colour(random);
  const Noise noise(random.next());
  const float scale = between(random, 1, 8), strength = between(random, 0, 0.8f);
  const Point light{between(random, -0.4f, 0.4f), between(random, -0.4f, 0.4f)};
  const auto paint = [&](const auto& shape) {
    canvas.paint(frame, shape.extent(), shape, [&](Point p, float) {
      const float share = strength * (0.5f + 0.5f * noise.layered(scale * p, 2, 0.6f));
      return (1 + dot(p, light)) * mix(colour, other, share);
    });
  };
  switch (random.below(4)) {
    case 0:
      return paint(Rectangle{{}, {between(random, 0.3f, 1), between(random, 0.3f, 1)}, 0.05f});
    case 1:
      return paint(Ellipse({}, {between(random, 0.5f, 1), between(random, 0.4f, 1)}));
    case 2:
      return paint(Stroke{
          {-1.8f, 0}, {1.8f, 0}, between(random, 0.05f, 0.3f), between(random, 0.03f, 0.3f)});
    default:
      return paint(Triangle{
          {-1, 0.6f}, {1, between(random, 0.2f, 0.8f)}, {between(random, -0.7f, 0.7f), -1}, 0.04f});
  }
}

/// What the camera makes of it: exposure, colour of the light, a shadow across, darker corners.
void light(Canvas& canvas, Random& random) {
  const auto width = static_cast<float>(canvas.size().width);
  const auto height = static_cast<float>(canvas.size().height);
  const float exposure = between(random, 0.75f, 1.35f);
  const float warmth = between(random, -0.12f, 0.12f);
  const float from = between(random, 0, 2 * std::numbers::pi_v<float>);
  const Point fall =
      between(random, 0, 0.5f) / std::max(width, height) * Point{std::cos(from), std::sin(from)};
  const float corners = between(random, 0, 0.5f);
  const Point middle{width / 2, height / 2};
  canvas.fill([&](Point p, Colour colour) {
    const Point away = p - middle;
    const float far = dot(away, away) / dot(middle, middle);
    const float level = exposure * (1 + dot(away, fall)) * (1 - corners * far);
    return Colour{level * (1 + warmth) * colour.red, level * colour.green,
                  level * (1 - warmth) * colour.blue};
  });
}

/// Bytes, with a sensor's noise: the sum of four even distributions is near enough to a normal one.
Picture develop(Canvas& canvas, Random& random) {
  const float noise = between(random, 1, 4);
  Picture picture;
  picture.reshape(canvas.size(), 3);
  std::uint8_t* out = picture.pixels.data();
  const auto byte = [](float level, float grain) {
    return static_cast<std::uint8_t>(std::clamp(255 * level + grain + 0.5f, 0.0f, 255.0f));
  };
  for (std::int32_t y = 0; y < picture.size.height; ++y)
    for (std::int32_t x = 0; x < picture.size.width; ++x, out += 3) {
      std::uint64_t bits = random.next();
      float grey = -1.73f * 2;  // each adds from 0 to 2·√3/2, so that the deviation is 1
      for (int i = 0; i < 4; ++i, bits >>= 16)
        grey += 1.73f / 65536 * static_cast<float>(bits & 0xFFFF);
      const Colour& colour = canvas.at(x, y);
      out[0] = byte(colour.red, noise * grey);
      out[1] = byte(colour.green, noise * grey);
      out[2] = byte(colour.blue, noise * grey);
    }
  return picture;
}

}  // namespace

Picture draw_scene(Species species, std::int32_t number, const SceneOptions& options) {
  Random random(options.seed, static_cast<std::uint64_t>(species),
                static_cast<std::uint64_t>(number));
  const auto side = static_cast<float>(options.size);
  const float longer = std::sqrt(between(random, 1, 1.5f));
  Size size{static_cast<std::int32_t>(side / longer + 0.5f),
            static_cast<std::int32_t>(side * longer + 0.5f)};
  if (random.below(4) == 0) std::swap(size.height, size.width);  // upright, as some photographs are
  Canvas canvas(size);
  draw_background(canvas, random);
  const auto things = static_cast<std::uint64_t>(4 + 16 * options.difficulty);
  for (std::uint64_t i = random.below(things); i > 0; --i)
    draw_thing(canvas, random, 0.2f);
  draw_animal(canvas, species, options.difficulty, random);
  const auto in_front = static_cast<std::uint64_t>(1 + 4 * options.difficulty);
  for (std::uint64_t i = random.below(in_front); i > 0; --i)
    draw_thing(canvas, random, mix(0.05f, 0.1f, options.difficulty));
  light(canvas, random);
  return develop(canvas, random);
}

}  // namespace lockstep::exec
