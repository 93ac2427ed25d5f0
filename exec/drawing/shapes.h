// SPDX-License-Identifier: Apache-2.0
// Signed distances of simple shapes, negative inside, and noise. Exact near the edge, which is
// where it matters (after Inigo Quilez's collection of distance functions). A shape knows its
// extent.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "exec/drawing/canvas.h"

namespace lockstep::exec {

class Ellipse {
 public:
  Ellipse(Point middle, Point radii, float turn = 0)
      : middle_(middle), radii_(radii), cosine_(std::cos(turn)), sine_(std::sin(turn)) {}

  float operator()(Point p) const {
    const Point q = p - middle_;
    const Point scaled{(cosine_ * q.x + sine_ * q.y) / radii_.x,
                       (cosine_ * q.y - sine_ * q.x) / radii_.y};
    const Point slope{scaled.x / radii_.x, scaled.y / radii_.y};
    const float level = length(scaled);
    return level * (level - 1) / std::max(length(slope), 1e-6f);
  }
  Extent extent() const { return {middle_, std::max(radii_.x, radii_.y)}; }

 private:
  Point middle_;
  Point radii_;
  float cosine_;
  float sine_;
};

/// A line from `from` to `to`, as wide as two radii that change along it.
struct Stroke {
  Point from;
  Point to;
  float from_radius = 0;
  float to_radius = 0;

  float operator()(Point p) const {
    const Point along = to - from;
    const float share =
        std::clamp(dot(p - from, along) / std::max(dot(along, along), 1e-9f), 0.0f, 1.0f);
    return length(p - from - share * along) - mix(from_radius, to_radius, share);
  }
  Extent extent() const {
    return {0.5f * (from + to), 0.5f * length(to - from) + std::max(from_radius, to_radius)};
  }
};

/// A triangle with corners rounded by `rounding`; its corners in either order.
struct Triangle {
  Point a;
  Point b;
  Point c;
  float rounding = 0;

  float operator()(Point p) const {
    const float side = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0 ? 1.0f : -1.0f;
    const auto edge = [&](Point from, Point to) {
      const Point along = to - from;
      return side * (along.y * (p.x - from.x) - along.x * (p.y - from.y)) / length(along);
    };
    return std::max({edge(a, b), edge(b, c), edge(c, a)}) - rounding;
  }
  /// Rounding is of the edges: a corner stands out by three times as much where it is 40 degrees.
  Extent extent() const {
    const Point middle = 1 / 3.0f * (a + b + c);
    return {middle,
            std::max({length(a - middle), length(b - middle), length(c - middle)}) + 4 * rounding};
  }
};

struct Rectangle {
  Point middle;
  Point half;
  float rounding = 0;

  float operator()(Point p) const {
    const Point q{std::abs(p.x - middle.x) - half.x, std::abs(p.y - middle.y) - half.y};
    return length({std::max(q.x, 0.0f), std::max(q.y, 0.0f)}) + std::min(std::max(q.x, q.y), 0.0f) -
           rounding;
  }
  Extent extent() const { return {middle, length(half) + rounding}; }
};

/// The union of two shapes whose seam is filled over a width of `width`.
template <typename First, typename Second>
struct Melted {
  First first;
  Second second;
  float width = 0;

  float operator()(Point p) const {
    const float a = first(p), b = second(p);
    const float share = std::max(width - std::abs(a - b), 0.0f) / width;
    return std::min(a, b) - share * share * width / 4;
  }
  Extent extent() const {
    const Extent a = first.extent(), b = second.extent();
    const Point middle = 0.5f * (a.middle + b.middle);
    const float apart = 0.5f * length(a.middle - b.middle);
    return {middle, apart + std::max(a.reach, b.reach) + width / 4};
  }
};

template <typename First, typename Second>
Melted<First, Second> melt(const First& first, const Second& second, float width) {
  return {first, second, width};
}

/// Smooth noise from −1 to 1 that changes over a length of about 1.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : seed_(static_cast<std::uint32_t>(seed ^ seed >> 32)) {}

  float operator()(Point p) const {
    const std::int32_t x = floor(p.x), y = floor(p.y);
    const float across = fade(p.x - static_cast<float>(x));
    const float down = fade(p.y - static_cast<float>(y));
    return mix(mix(value(x, y), value(x + 1, y), across),
               mix(value(x, y + 1), value(x + 1, y + 1), across), down);
  }

  /// Octaves of half the length and `rest` of the strength each; from about −1 to 1.
  float layered(Point p, int octaves, float rest) const {
    float sum = 0, strength = 1, total = 0;
    for (int octave = 0; octave < octaves; ++octave) {
      sum += strength * (*this)(p);
      total += strength;
      strength *= rest;
      p = Point{2 * p.x + 17.3f, 2 * p.y + 5.9f};
    }
    return sum / total;
  }

 private:
  static std::int32_t floor(float value) {  // std::floor is a call where SSE 4.1 is not sure
    const auto whole = static_cast<std::int32_t>(value);
    return whole - (static_cast<float>(whole) > value ? 1 : 0);
  }
  static float fade(float t) { return t * t * (3 - 2 * t); }
  float value(std::int32_t x, std::int32_t y) const {
    std::uint32_t h = seed_ + static_cast<std::uint32_t>(x) * 0x9E3779B1u +
                      static_cast<std::uint32_t>(y) * 0x85EBCA77u;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    h ^= h >> 15;
    return static_cast<float>(h >> 8) * (2.0f / 16777216.0f) - 1;
  }

  std::uint32_t seed_;
};

}  // namespace lockstep::exec
