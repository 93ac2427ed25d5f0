// SPDX-License-Identifier: Apache-2.0
// A small rasteriser: shapes are signed distances, edges are smooth, colours are functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "exec/data/picture.h"

namespace lockstep::exec {

struct Point {
  float x = 0;
  float y = 0;

  friend Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
  friend Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
  friend Point operator*(float factor, Point p) { return {factor * p.x, factor * p.y}; }
};

inline float dot(Point a, Point b) {
  return a.x * b.x + a.y * b.y;
}
inline float length(Point p) {
  return std::sqrt(dot(p, p));
}

/// Red, green, blue from 0 to 1.
struct Colour {
  float red = 0;
  float green = 0;
  float blue = 0;

  friend Colour operator+(Colour a, Colour b) {
    return {a.red + b.red, a.green + b.green, a.blue + b.blue};
  }
  friend Colour operator*(float factor, Colour c) {
    return {factor * c.red, factor * c.green, factor * c.blue};
  }
};

inline float mix(float a, float b, float share) {
  return a + share * (b - a);
}
inline Colour mix(Colour a, Colour b, float share) {
  return (1 - share) * a + share * b;
}
/// 0 below `low`, 1 above `high`, smooth between.
inline float smooth_step(float low, float high, float value) {
  const float share = std::clamp((value - low) / (high - low), 0.0f, 1.0f);
  return share * share * (3 - 2 * share);
}

/// A place to draw in: an origin, a turn and a unit of length, in pixels. The y axis points down.
class Frame {
 public:
  Frame(Point origin, float unit, float turn)
      : origin_(origin), unit_(unit), cosine_(std::cos(turn)), sine_(std::sin(turn)) {}

  Point to_pixels(Point p) const {
    return origin_ + unit_ * Point{cosine_ * p.x - sine_ * p.y, sine_ * p.x + cosine_ * p.y};
  }
  Point from_pixels(Point p) const {
    const Point q = (1 / unit_) * (p - origin_);
    return {cosine_ * q.x + sine_ * q.y, cosine_ * q.y - sine_ * q.x};
  }
  float unit() const { return unit_; }

 private:
  Point origin_;
  float unit_;
  float cosine_;
  float sine_;
};

/// All of a shape is within `reach` of its middle.
struct Extent {
  Point middle;
  float reach = 0;
};

class Canvas {
 public:
  explicit Canvas(Size size) : size_(size), colours_(size.pixels()) {}

  Size size() const { return size_; }
  Colour& at(std::int32_t x, std::int32_t y) {
    return colours_[static_cast<std::size_t>(y) * static_cast<std::size_t>(size_.width) +
                    static_cast<std::size_t>(x)];
  }

  /// Every pixel becomes colour(place, what was there).
  template <typename ColourOf>
  void fill(const ColourOf& colour) {
    for (std::int32_t y = 0; y < size_.height; ++y)
      for (std::int32_t x = 0; x < size_.width; ++x)
        at(x, y) =
            colour(Point{static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f}, at(x, y));
  }

  /// Paints where distance(p) < 0, in units of `frame`, within `extent`; the edge is one pixel
  /// wide. `colour(p, distance)` is asked for there only.
  template <typename DistanceOf, typename ColourOf>
  void paint(const Frame& frame, const Extent& extent, const DistanceOf& distance,
             const ColourOf& colour, float opacity = 1) {
    const Point middle = frame.to_pixels(extent.middle);
    const float radius = extent.reach * frame.unit() + 1;
    for (std::int32_t y = first(middle.y - radius); y < last(middle.y + radius, size_.height); ++y)
      for (std::int32_t x = first(middle.x - radius); x < last(middle.x + radius, size_.width);
           ++x) {
        const Point p =
            frame.from_pixels({static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f});
        const float d = distance(p);
        const float share = opacity * std::clamp(0.5f - d * frame.unit(), 0.0f, 1.0f);
        if (share > 0) at(x, y) = mix(at(x, y), colour(p, d), share);
      }
  }

 private:
  static std::int32_t first(float place) {
    return static_cast<std::int32_t>(std::max(0.0f, std::floor(place)));
  }
  static std::int32_t last(float place, std::int32_t size) {
    return static_cast<std::int32_t>(std::clamp(std::ceil(place), 0.0f, static_cast<float>(size)));
  }

  Size size_;
  std::vector<Colour> colours_;
};

}  // namespace lockstep::exec
