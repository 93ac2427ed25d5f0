// SPDX-License-Identifier: Apache-2.0
#include "exec/data/resize.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

// A weight has 14 bits and a byte 8. Between the two passes 6 bits of the weight are kept: 14 + 14
// bits of the second pass still fit a signed 32-bit sum.
constexpr int kWeightBits = 14;
constexpr int kKeptBits = 6;
static_assert(Triangles::kOne == 1 << kWeightBits);

}  // namespace

// Places are counted in 1/(2·outputs) of an input pixel: the middle of output i is at
// (2i + 1)·inputs, that of input k at (2k + 1)·outputs, and the filter reaches `reach` to either
// side.
void Triangles::set(std::int32_t new_inputs, std::int32_t outputs, bool new_mirrored) {
  if (new_inputs == inputs && first.size() == static_cast<std::size_t>(outputs) &&
      new_mirrored == mirrored)
    return;
  LOCKSTEP_CHECK(new_inputs > 0 && outputs > 0 && new_inputs <= 65'536 && outputs <= 65'536,
                 std::to_string(new_inputs) + " to " + std::to_string(outputs));
  inputs = new_inputs;
  mirrored = new_mirrored;
  const std::int64_t reach = 2 * std::int64_t{std::max(inputs, outputs)};
  taps = static_cast<std::int32_t>(std::min<std::int64_t>(inputs, reach / outputs + 1));
  first.resize(static_cast<std::size_t>(outputs));
  weights.resize(first.size() * static_cast<std::size_t>(taps));
  for (std::int32_t i = 0; i < outputs; ++i) {
    const std::int64_t middle = (2 * std::int64_t{i} + 1) * inputs;
    // The first input whose middle is above middle − reach, unless the inputs end too soon.
    const std::int64_t below = middle - reach - outputs;
    const std::int64_t from =
        std::min<std::int64_t>(below < 0 ? 0 : below / (2 * outputs) + 1, inputs - taps);
    const auto weight = [&](std::int32_t t) {
      return std::max<std::int64_t>(0, reach - std::abs((2 * (from + t) + 1) * outputs - middle));
    };
    std::int64_t sum = 0;
    for (std::int32_t t = 0; t < taps; ++t)
      sum += weight(t);
    const auto place = static_cast<std::size_t>(mirrored ? outputs - 1 - i : i);
    std::int32_t* const out = weights.data() + place * static_cast<std::size_t>(taps);
    // Each weight is rounded together with those before it, so that they add up.
    std::int64_t so_far = 0;
    std::int64_t given = 0;
    for (std::int32_t t = 0; t < taps; ++t) {
      so_far += weight(t);
      const std::int64_t due = (so_far * kOne + sum / 2) / sum;
      out[t] = static_cast<std::int32_t>(due - given);
      given = due;
    }
    first[place] = static_cast<std::int32_t>(from);
  }
}

/// Row `output` of the box scaled downwards only, × 64.
void Resizer::scale_down(const Picture& from, const Box& box, std::size_t output) {
  const auto channels = static_cast<std::size_t>(from.channels);
  const std::size_t values = static_cast<std::size_t>(box.size.width) * channels;
  const std::size_t stride = static_cast<std::size_t>(from.size.width) * channels;
  const auto top = static_cast<std::size_t>(box.top + down_.first[output]);
  const std::uint8_t* in =
      from.pixels.data() + top * stride + static_cast<std::size_t>(box.left) * channels;
  const std::int32_t* weights =
      down_.weights.data() + output * static_cast<std::size_t>(down_.taps);
  std::int32_t* const row = row_.data();
  constexpr int kShift = kWeightBits - kKeptBits;
  std::fill_n(row, values, 1 << (kShift - 1));
  for (std::int32_t t = 0; t < down_.taps; ++t, in += stride)
    for (std::size_t i = 0; i < values; ++i)
      row[i] += weights[t] * in[i];
  for (std::size_t i = 0; i < values; ++i)
    row[i] >>= kShift;
}

namespace {

/// One pixel, in one register: up to four channels.
using Pixel [[gnu::vector_size(16)]] = std::int32_t;
using PixelBytes [[gnu::vector_size(4)]] = std::uint8_t;

/// One output row. Pixels are read with four values each, whatever their channels. Those of three
/// channels are written with four, too: the next pixel overwrites the fourth, and the row's last
/// pixel is written without. `taps` is `across.taps`, or 0 where the compiler shall not know it.
template <std::size_t channels, std::size_t taps>
void scale_across(const Triangles& across, const std::int32_t* row, std::uint8_t* into) {
  constexpr int kShift = kWeightBits + kKeptBits;
  const std::size_t count = taps > 0 ? taps : static_cast<std::size_t>(across.taps);
  const std::size_t outputs = across.first.size();
  const std::int32_t* const first = across.first.data();
  const std::int32_t* weights = across.weights.data();
  for (std::size_t x = 0; x < outputs; ++x, weights += count) {
    Pixel sum{};
    const std::int32_t* const in = row + static_cast<std::size_t>(first[x]) * channels;
    for (std::size_t t = 0; t < count; ++t) {
      Pixel pixel;
      std::memcpy(&pixel, in + t * channels, sizeof pixel);
      sum += weights[t] * pixel;
    }
    const PixelBytes bytes =
        __builtin_convertvector((sum + (1 << (kShift - 1))) >> kShift, PixelBytes);
    const bool is_last = channels == 1 || x + 1 == outputs;
    std::memcpy(into + x * channels, &bytes, is_last ? channels : sizeof bytes);
  }
}

template <std::size_t channels>
void scale_across(const Triangles& across, const std::int32_t* row, std::uint8_t* into) {
  switch (across.taps) {  // the usual ones: 1/2 to 2 times the size
    case 3:
      return scale_across<channels, 3>(across, row, into);
    case 4:
      return scale_across<channels, 4>(across, row, into);
    case 5:
      return scale_across<channels, 5>(across, row, into);
    default:
      return scale_across<channels, 0>(across, row, into);
  }
}

}  // namespace

void Resizer::resize(const Picture& from, const Box& box, Size size, bool mirrored,
                     std::uint8_t* into) {
  LOCKSTEP_CHECK(from.channels == 1 || from.channels == 3, std::to_string(from.channels));
  LOCKSTEP_CHECK(box.top >= 0 && box.left >= 0 && box.top + box.size.height <= from.size.height &&
                     box.left + box.size.width <= from.size.width,
                 "a box beyond its picture");
  down_.set(box.size.height, size.height, false);
  across_.set(box.size.width, size.width, mirrored);
  const auto channels = static_cast<std::size_t>(from.channels);
  row_.resize(static_cast<std::size_t>(box.size.width) * channels + 3);
  for (std::size_t y = 0; y < down_.first.size(); ++y) {
    scale_down(from, box, y);
    if (channels == 3)
      scale_across<3>(across_, row_.data(), into);
    else
      scale_across<1>(across_, row_.data(), into);
    into += static_cast<std::size_t>(size.width) * channels;
  }
}

}  // namespace lockstep::exec
