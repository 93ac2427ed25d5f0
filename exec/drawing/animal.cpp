// SPDX-License-Identifier: Apache-2.0
#include "exec/drawing/animal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "exec/drawing/shapes.h"

namespace lockstep::exec {

namespace {

constexpr float kPi = std::numbers::pi_v<float>;

float between(Random& random, float low, float high) {
  return mix(low, high, static_cast<float>(random.uniform()));
}
bool happens(Random& random, float share) {
  return random.uniform() < static_cast<double>(share);
}

/// Colour and texture of fur: two colours in one of some patterns, and strands.
class Coat {
 public:
  explicit Coat(Random& random)
      : noise_(random.next()),
        pattern_(static_cast<int>(random.below(5))),
        base_(fur_colour(random)),
        other_(fur_colour(random)),
        length_(between(random, 0.5f, 1.5f)),
        stripes_(between(random, 7, 14)) {}

  Colour base() const { return base_; }

  /// Of a hair at `p`; strands run away from the origin of the frame.
  Colour at(Point p) const {
    const Colour colour = mix(base_, other_, share_of_other(p));
    return (1 + 0.35f * strand(p)) * colour;
  }
  /// How far hairs stand out of the outline at `p`.
  float fringe(Point p) const { return 0.035f * length_ * strand(p); }
  static constexpr float kLongestFringe = 0.055f;

 private:
  /// The same for cats and dogs: black, white, grey, brown, ginger, cream.
  static Colour fur_colour(Random& random) {
    constexpr std::array<Colour, 6> kColours{{{0.09f, 0.08f, 0.08f},
                                              {0.92f, 0.9f, 0.87f},
                                              {0.45f, 0.45f, 0.47f},
                                              {0.36f, 0.23f, 0.14f},
                                              {0.78f, 0.47f, 0.2f},
                                              {0.85f, 0.75f, 0.58f}}};
    const Colour colour = kColours[random.below(kColours.size())];
    return between(random, 0.75f, 1.15f) * colour;
  }

  float strand(Point p) const {
    const float angle = std::atan2(p.y, p.x);
    return noise_.layered({angle * 16, length(p) * 4 / length_}, 2, 0.7f);
  }

  float share_of_other(Point p) const {
    switch (pattern_) {
      case 0:  // stripes
        return smooth_step(0.1f, 0.5f, std::sin(stripes_ * (p.x + 0.4f * noise_(2.0f * p))));
      case 1:  // patches
        return smooth_step(0.05f, 0.15f, noise_(1.3f * p));
      case 2:  // spots
        return smooth_step(0.3f, 0.45f, noise_(5.0f * p));
      case 3:  // a blaze: the middle of the face and the chest
        return smooth_step(0.45f, 0.2f, std::abs(p.x + 0.15f * noise_(3.0f * p)));
      default:
        return 0;
    }
  }

  Noise noise_;
  int pattern_;
  Colour base_;
  Colour other_;
  float length_;
  float stripes_;
};

/// What both kinds have, and where it is in the frame of the head, whose unit is its radius.
struct Build {
  Species species = Species::Cat;
  float side = 0;       // how far the face is turned: −1 … 1
  Point light{};        // where it comes from
  float round = 1;      // of the head, across
  bool pricked = true;  // ears stand up
  Colour eyes{};
  Colour skin{};  // of the nose and inside the ears
};

class Painter {
 public:
  Painter(Canvas& canvas, Random& random, const Build& build, const Coat& coat)
      : canvas_(canvas), random_(random), build_(build), coat_(coat) {}

  /// A furry shape, lit from one side.
  template <typename Shape>
  void fur(const Frame& frame, const Shape& shape, float shade = 1) {
    Extent extent = shape.extent();
    const Point middle = extent.middle;
    const float size = extent.reach;
    extent.reach += Coat::kLongestFringe;
    canvas_.paint(
        frame, extent,
        [&](Point p) {
          const float d = shape(p);
          return std::abs(d) < Coat::kLongestFringe ? d + coat_.fringe(p) : d;
        },
        [&](Point p, float d) {
          const float lit =
              1 + 0.4f / size * dot(p - middle, build_.light) + 0.35f * std::max(d, -0.3f);
          return (shade * lit) * coat_.at(p);
        });
  }

  template <typename Shape>
  void plain(const Frame& frame, const Shape& shape, Colour colour, float opacity = 1) {
    canvas_.paint(
        frame, shape.extent(), shape, [&](Point, float) { return colour; }, opacity);
  }

  // In the frame of the head; `side` is −1 (left) or 1 (right).
  void body(const Frame& head);
  void head(const Frame& head);

 private:
  void sitting(const Frame& head, float side);
  void standing(const Frame& head, float side);
  void lying(const Frame& head, float side);
  void tail(const Frame& head, Point root, float direction);
  void ear_pricked(const Frame& head, float side);
  void ear_hanging(const Frame& head, float side);
  void skull(const Frame& head);
  void eye(const Frame& head, float side);
  void snout_of_cat(const Frame& head);
  void snout_of_dog(const Frame& head);

  Canvas& canvas_;
  Random& random_;
  const Build& build_;
  const Coat& coat_;
};

/// A cat's is long, thin and curved, a dog's shorter and thicker.
void Painter::tail(const Frame& head, Point root, float direction) {
  const bool cat = build_.species == Species::Cat;
  const float segment = cat ? between(random_, 0.34f, 0.42f) : between(random_, 0.2f, 0.28f);
  const float width = cat ? between(random_, 0.1f, 0.14f) : between(random_, 0.15f, 0.22f);
  const float bend = between(random_, 0.15f, 0.45f) * (happens(random_, 0.5f) ? 1.0f : -1.0f);
  constexpr int kSegments = 6;
  const auto width_at = [&](int place) {
    return width * (1 - (cat ? 0.05f : 0.11f) * static_cast<float>(place));
  };
  Point from = root;
  for (int i = 0; i < kSegments; ++i) {
    const float angle = direction + bend * static_cast<float>(i);
    const Point to = from + segment * Point{std::cos(angle), std::sin(angle)};
    fur(head, Stroke{from, to, width_at(i), width_at(i + 1)});
    from = to;
  }
}

void Painter::sitting(const Frame& head, float side) {
  const Point hips{0.5f * side, 3.1f};
  tail(head, hips + Point{0.8f * side, 0.4f}, side > 0 ? 0 : kPi);
  fur(head, melt(Ellipse({0.1f * side, 2.3f}, {1.05f, 1.6f}), Ellipse(hips, {1.25f, 0.95f}), 0.4f),
      0.92f);
  for (const float leg : {-0.42f, 0.42f})
    fur(head, Stroke{{leg, 1.6f}, {leg, 3.8f}, 0.34f, 0.25f});
}

void Painter::standing(const Frame& head, float side) {
  const Point chest{0.9f * side, 1.3f}, hips{3.4f * side, 1.5f};
  tail(head, hips + Point{0.5f * side, -0.4f},
       side > 0 ? between(random_, -1.2f, 0.6f) : between(random_, 2.6f, 4.3f));
  for (const float leg : {0.6f, 1.1f, 2.9f, 3.4f}) {
    const float step = between(random_, -0.25f, 0.25f);
    fur(head, Stroke{{leg * side, 1.6f}, {leg * side + step, 3.5f}, 0.33f, 0.2f}, 0.85f);
  }
  fur(head,
      melt(melt(Ellipse(chest, {1.05f, 0.95f}), Ellipse(hips, {0.95f, 0.9f}), 0.4f),
           Stroke{chest, hips, 0.85f, 0.8f}, 0.4f),
      0.95f);
  fur(head, Stroke{{0.1f * side, 0.2f}, {0.9f * side, 1.2f}, 0.6f, 0.75f});
}

void Painter::lying(const Frame& head, float side) {
  const Point hips{2.6f * side, 1.5f};
  tail(head, hips + Point{0.7f * side, 0.3f}, side > 0 ? 0.2f : 2.9f);
  fur(head, melt(Ellipse({1.5f * side, 1.4f}, {2.0f, 0.85f}), Ellipse(hips, {0.95f, 0.85f}), 0.3f),
      0.95f);
  for (const float paw : {-0.55f, 0.35f})
    fur(head, Stroke{{0.3f * side, 1.5f}, {paw, 2.05f}, 0.36f, 0.26f});
}

void Painter::body(const Frame& head) {
  const float side = happens(random_, 0.5f) ? 1.0f : -1.0f;
  switch (random_.below(3)) {
    case 0:
      return sitting(head, side);
    case 1:
      return standing(head, side);
    default:
      return lying(head, side);
  }
}

void Painter::ear_pricked(const Frame& head, float side) {
  const float near = 1 + 0.2f * side * build_.side;  // the one turned away is narrower
  const float tall = between(random_, 1.35f, 1.65f);
  const Point shift{-0.12f * build_.side, 0};
  const Point outer = shift + Point{0.9f * side * build_.round, -0.25f};
  const Point inner = shift + Point{0.16f * side, -0.72f};
  const Point tip = shift + Point{between(random_, 0.62f, 0.92f) * side * near, -tall};
  fur(head, Triangle{outer, inner, tip, 0.05f});
  const Point middle = 1 / 3.0f * (outer + inner + tip);
  const auto shrunk = [&](Point p) { return middle + 0.55f * (p - middle) + Point{0, 0.06f}; };
  plain(head, Triangle{shrunk(outer), shrunk(inner), shrunk(tip), 0.03f},
        mix(build_.skin, coat_.base(), 0.35f), 0.8f);
}

void Painter::ear_hanging(const Frame& head, float side) {
  const Point shift{-0.1f * build_.side, 0};
  const Point root = shift + Point{0.62f * side * build_.round, -0.62f};
  const float hang = between(random_, 0.25f, 0.75f);
  const Point bottom = shift + Point{between(random_, 0.95f, 1.2f) * side, hang};
  fur(head, Stroke{root, bottom, between(random_, 0.2f, 0.26f), between(random_, 0.26f, 0.36f)},
      between(random_, 0.62f, 0.85f));
}

void Painter::skull(const Frame& head) {
  const bool cat = build_.species == Species::Cat;
  fur(head, melt(Ellipse({0, -0.05f}, {(cat ? 1.0f : 0.84f) * build_.round, 0.88f}),
                 Ellipse({0.1f * build_.side, 0.35f},
                         {(cat ? 0.88f : 0.62f) * build_.round, cat ? 0.5f : 0.62f}),
                 0.3f));
}

void Painter::eye(const Frame& head, float side) {
  const bool cat = build_.species == Species::Cat;
  const Point middle{(cat ? 0.42f : 0.36f) * side * build_.round + 0.22f * build_.side, -0.1f};
  const float narrow = 1 - 0.25f * std::max(0.0f, -side * build_.side);
  const Point size = cat ? Point{0.2f * narrow, 0.17f} : Point{0.135f * narrow, 0.13f};
  const float turn = cat ? 0.3f * side : 0.0f;
  plain(head, Ellipse(middle, 1.22f * size, turn), {0.05f, 0.04f, 0.04f}, 0.85f);
  plain(head, Ellipse(middle, size, turn), build_.eyes);
  const Point pupil = cat ? Point{between(random_, 0.045f, 0.09f), 0.15f} : Point{0.085f, 0.085f};
  plain(head, Ellipse(middle, pupil), {0.02f, 0.02f, 0.02f});
  plain(head, Ellipse(middle + Point{-0.05f, -0.05f}, {0.03f, 0.03f}), {0.95f, 0.95f, 0.95f});
}

void Painter::snout_of_cat(const Frame& head) {
  const Point nose{0.34f * build_.side, 0.28f};
  for (const float side : {-1.0f, 1.0f})
    fur(head, Ellipse(nose + Point{0.17f * side, 0.17f}, {0.24f, 0.2f}), 1.12f);
  fur(head, Ellipse(nose + Point{0, 0.36f}, {0.16f, 0.13f}), 1.05f);
  const Colour line = 0.25f * build_.skin;
  const Point lip = nose + Point{0, 0.2f};
  plain(head, Stroke{nose, lip, 0.025f, 0.02f}, line);
  for (const float side : {-1.0f, 1.0f}) {
    plain(head, Stroke{lip, lip + Point{0.2f * side, 0.09f}, 0.022f, 0.015f}, line);
    for (const float hair : {-1.0f, 0.0f, 1.0f}) {  // whiskers
      const float slope = 0.16f * hair + between(random_, -0.06f, 0.06f);
      const Point root = nose + Point{0.22f * side, 0.15f + 0.05f * hair};
      const Point tip = root + between(random_, 0.75f, 1.05f) * Point{side, slope};
      plain(head, Stroke{root, tip, 0.018f, 0.008f}, {0.93f, 0.93f, 0.9f}, 0.85f);
    }
  }
  const Point top = nose + Point{0, -0.05f};
  plain(head, Triangle{top + Point{-0.1f, 0}, top + Point{0.1f, 0}, top + Point{0, 0.11f}, 0.02f},
        build_.skin);
}

void Painter::snout_of_dog(const Frame& head) {
  const Point tip{0.55f * build_.side, 0.36f};
  const Ellipse bridge({0.3f * build_.side, 0.3f}, {0.34f, 0.5f});
  const Ellipse front(tip + Point{0, 0.2f}, {between(random_, 0.4f, 0.48f), 0.42f});
  fur(head, melt(bridge, front, 0.2f), 1.1f);
  const Colour line = 0.25f * build_.skin;
  const Point lip = tip + Point{0, 0.36f};
  plain(head, Stroke{tip, lip, 0.03f, 0.03f}, line);
  for (const float side : {-1.0f, 1.0f})
    plain(head, Stroke{lip, lip + Point{0.3f * side, 0.02f}, 0.035f, 0.02f}, line);
  plain(head, Ellipse(tip, {between(random_, 0.19f, 0.23f), 0.15f}), build_.skin);
  plain(head, Ellipse(tip + Point{-0.05f, -0.05f}, {0.05f, 0.03f}), {0.9f, 0.9f, 0.9f}, 0.5f);
}

/// From back to front: pricked ears are behind the skull, hanging ones before it.
void Painter::head(const Frame& head) {
  constexpr std::array kSides{-1.0f, 1.0f};
  if (build_.pricked)
    for (const float side : kSides)
      ear_pricked(head, side);
  skull(head);
  if (!build_.pricked)
    for (const float side : kSides)
      ear_hanging(head, side);
  for (const float side : kSides)
    eye(head, side);
  if (build_.species == Species::Cat)
    snout_of_cat(head);
  else
    snout_of_dog(head);
}

Build make_build(Species species, float difficulty, Random& random) {
  constexpr std::array<Colour, 4> kEyes{
      {{0.35f, 0.55f, 0.2f}, {0.75f, 0.55f, 0.15f}, {0.3f, 0.45f, 0.65f}, {0.35f, 0.2f, 0.1f}}};
  Build build;
  build.species = species;
  build.side = between(random, -1, 1) * mix(0.4f, 1, difficulty);
  const float from = between(random, 0, 2 * kPi);
  build.light = between(random, 0.3f, 1) * Point{std::cos(from), std::sin(from)};
  build.round = between(random, 0.92f, 1.12f);
  // Some dogs' ears stand up; some cats' hang, when it is to be hard.
  const float untypical = species == Species::Dog ? 0.2f * difficulty : 0.06f * difficulty;
  build.pricked = happens(random, untypical) != (species == Species::Cat);
  build.eyes = kEyes[random.below(kEyes.size())];
  build.skin = happens(random, 0.5f) ? Colour{0.85f, 0.55f, 0.52f} : Colour{0.12f, 0.1f, 0.1f};
  return build;
}

}  // namespace

void draw_animal(Canvas& canvas, Species species, float difficulty, Random& random) {
  const auto side = static_cast<float>(std::min(canvas.size().height, canvas.size().width));
  const Build build = make_build(species, difficulty, random);
  const Coat coat(random);
  const float unit = side * between(random, mix(0.17f, 0.1f, difficulty), 0.24f);
  const auto place = [&](std::int32_t pixels, float before, float after) {
    const auto room = static_cast<float>(pixels);
    const float low = before * unit, high = room - after * unit;
    return low < high ? between(random, low, high) : room / 2;
  };
  const Point middle{place(canvas.size().width, 1.3f, 1.3f),
                     place(canvas.size().height, 1.6f, 1.3f)};
  const float tilt = between(random, -1, 1) * mix(0.15f, 0.5f, difficulty);
  Painter painter(canvas, random, build, coat);
  if (!happens(random, 0.15f)) painter.body(Frame(middle, unit, 0.3f * tilt));
  painter.head(Frame(middle, unit, tilt));
}

}  // namespace lockstep::exec
