// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/weight_gradient.h"

#include <algorithm>

#include "exec/kernels/share.h"
#include "exec/kernels/tile.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t size(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

/// A rectangle of the weight gradient that one thread sums: columns n … n + columns − 1 of the rows
/// (x, c) first … last − 1 of a window row, as numbers x·channels + c.
struct WeightTile {
  std::ptrdiff_t tap_y;
  std::ptrdiff_t first;
  std::ptrdiff_t last;
  std::ptrdiff_t group;
  std::ptrdiff_t n;  // among all outputs
  std::size_t columns;
};

/// A tile's rows belong to one tap, so that they all see the same positions; with few channels they
/// may belong to several taps of a window row, or the registers would stay empty.
class WeightTiles {
 public:
  explicit WeightTiles(const Layer& layer)
      : kernel_(size(layer.kernel)),
        channels_(size(layer.input.channels / layer.groups)),
        outputs_(size(layer.output.channels / layer.groups)),
        by_tap_(channels_ >= kTileRows || layer.groups > 1),
        run_(by_tap_ ? channels_ : kernel_ * channels_),
        runs_(by_tap_ ? kernel_ * kernel_ : kernel_),
        row_tiles_(pieces(run_, kTileRows)),
        column_tiles_(pieces(outputs_, kTileColumns)),
        groups_(size(layer.groups)) {}

  bool by_tap() const { return by_tap_; }
  std::size_t count() const { return groups_ * column_tiles_ * runs_ * row_tiles_; }

  WeightTile operator[](std::size_t index) const {
    const std::size_t panel = index / (runs_ * row_tiles_);
    const std::size_t run = index / row_tiles_ % runs_;
    const std::size_t n = panel % column_tiles_ * kTileColumns;
    const std::size_t group = panel / column_tiles_;
    const Range rows = share(run_, index % row_tiles_, row_tiles_);
    const std::size_t before = by_tap_ ? run % kernel_ * channels_ : 0;
    return {static_cast<std::ptrdiff_t>(by_tap_ ? run / kernel_ : run),
            static_cast<std::ptrdiff_t>(before + rows.first),
            static_cast<std::ptrdiff_t>(before + rows.last),
            static_cast<std::ptrdiff_t>(group),
            static_cast<std::ptrdiff_t>(group * outputs_ + n),
            std::min(kTileColumns, outputs_ - n)};
  }

 private:
  std::size_t kernel_, channels_, outputs_;
  bool by_tap_;
  std::size_t run_, runs_, row_tiles_, column_tiles_, groups_;
};

/// Strides and pointers of the products that make up a tile.
class TileSum {
 public:
  TileSum(const Layer& layer, const WeightTile& tile, float* weight_gradient)
      : layer_(layer),
        tile_(tile),
        channels_(layer.input.channels / layer.groups),
        ys_(windows_inside(layer.output.height, layer.stride, layer.padding, tile.tap_y, tile.tap_y,
                           layer.input.height)),
        inside_(windows_inside(layer.output.width, layer.stride, layer.padding,
                               tile.first / channels_, (tile.last - 1) / channels_,
                               layer.input.width)),
        c_(weight_gradient +
           (tile.tap_y * layer.kernel * channels_ + tile.first) * layer.output.channels + tile.n) {}

  /// Adds rows y … last_y − 1 of one image. Where the whole tile's taps see the image, that is one
  /// product over all positions; a column at the edge is a product of its own, with the taps that
  /// see it.
  void add_rows(const float* input, const float* gradient, std::ptrdiff_t y,
                std::ptrdiff_t last_y) const {
    y = std::max(y, ys_.first);
    last_y = std::min(last_y, ys_.last);
    if (y >= last_y) return;
    const auto add_columns = [&](std::ptrdiff_t x, std::ptrdiff_t last_x, std::ptrdiff_t first,
                                 std::ptrdiff_t last) {
      if (x >= last_x || first >= last) return;
      TileProduct product = product_at(input, gradient, y, x, first, last);
      product.middle = {last_y - y, layer_.stride * in_row(), out_row()};
      product.inner = {last_x - x, layer_.stride * in_column(), out_column()};
      multiply(product);
    };
    const auto add_edge = [&](std::ptrdiff_t x) {
      const Taps taps =
          visible_taps(x * layer_.stride - layer_.padding, layer_.kernel, layer_.input.width);
      add_columns(x, x + 1, std::max(tile_.first, taps.first * channels_),
                  std::min(tile_.last, (taps.first + taps.count) * channels_));
    };
    for (std::ptrdiff_t x = 0; x < inside_.first; ++x)
      add_edge(x);
    add_columns(inside_.first, inside_.last, tile_.first, tile_.last);
    for (std::ptrdiff_t x = inside_.last; x < layer_.output.width; ++x)
      add_edge(x);
  }

  /// Adds all positions of all images, row by row of the map; the tile's rows are of one tap.
  void add_images(Images<const float> input, Images<const float> gradient, std::size_t images,
                  bool adds) const {
    const bool sees_any = ys_.first < ys_.last && inside_.first < inside_.last;
    if (!adds && !sees_any) return clear();
    if (!sees_any) return;
    for (std::ptrdiff_t y = ys_.first; y < ys_.last; ++y) {
      TileProduct product =
          product_at(input.data, gradient.data, y, inside_.first, tile_.first, tile_.last);
      product.middle = {static_cast<std::ptrdiff_t>(images),
                        static_cast<std::ptrdiff_t>(input.stride),
                        static_cast<std::ptrdiff_t>(gradient.stride)};
      product.inner = {inside_.last - inside_.first, layer_.stride * in_column(), out_column()};
      if (!adds && y == ys_.first) {
        product.start = kZeros.data();
        product.start_row = 0;
      }
      multiply(product);
    }
  }

  void clear() const {
    for (std::ptrdiff_t m = 0; m < tile_.last - tile_.first; ++m)
      std::fill_n(c_ + m * layer_.output.channels, tile_.columns, 0.0f);
  }

 private:
  std::ptrdiff_t in_column() const { return layer_.input.channels; }
  std::ptrdiff_t in_row() const { return layer_.input.width * in_column(); }
  std::ptrdiff_t out_column() const { return layer_.output.channels; }
  std::ptrdiff_t out_row() const { return layer_.output.width * out_column(); }

  /// Rows first … last − 1 of the tile, from output position (y, x) on; its levels come later.
  TileProduct product_at(const float* input, const float* gradient, std::ptrdiff_t y,
                         std::ptrdiff_t x, std::ptrdiff_t first, std::ptrdiff_t last) const {
    // Of one tap when there are groups, and else x·channels + c is the distance itself.
    const std::ptrdiff_t tap = layer_.groups > 1 ? first / channels_ : 0;
    const std::ptrdiff_t in_y = y * layer_.stride + tile_.tap_y - layer_.padding;
    const std::ptrdiff_t in_x = x * layer_.stride + tap - layer_.padding;
    TileProduct product;
    product.a = input + in_y * in_row() + in_x * in_column() + tile_.group * channels_ + first -
                tap * channels_;
    product.a_row = 1;
    product.b = gradient + y * out_row() + x * out_column() + tile_.n;
    product.columns = tile_.columns;
    product.c = c_ + (first - tile_.first) * layer_.output.channels;
    product.c_row = layer_.output.channels;
    product.start = product.c;
    product.start_row = product.c_row;
    product.rows = static_cast<std::size_t>(last - first);
    return product;
  }

  const Layer& layer_;
  const WeightTile& tile_;
  std::ptrdiff_t channels_;
  Windows ys_;      // outputs that the tile's taps see the image from
  Windows inside_;  // likewise
  float* c_;
};

/// Rows of a map that are gone over with all tiles before the next ones: few enough that they and
/// what their windows see stay in a cache near the core.
std::int32_t band_rows(const Layer& layer) {
  constexpr std::int64_t kNearFloats = 96 << 10;
  const std::int64_t floats = std::int64_t{layer.output.width} * layer.output.channels +
                              std::int64_t{layer.stride} * layer.input.width * layer.input.channels;
  return static_cast<std::int32_t>(std::max<std::int64_t>(1, kNearFloats / floats));
}

}  // namespace

void convolution_weight_gradient(const Layer& layer, Images<const float> input,
                                 Images<const float> gradient, std::size_t images, bool adds,
                                 float* weight_gradient, std::size_t part, std::size_t parts) {
  const WeightTiles tiles(layer);
  const Range mine = share(tiles.count(), part, parts);
  const auto for_tiles = [&](const auto& task) {
    for (std::size_t index = mine.first; index < mine.last; ++index) {
      const WeightTile tile = tiles[index];
      task(TileSum(layer, tile, weight_gradient));
    }
  };
  // On a small map an image gives a tile next to nothing to do.
  constexpr std::uint64_t kSmallMap = 128;
  if (tiles.by_tap() && layer.output.elements() / size(layer.output.channels) <= kSmallMap)
    return for_tiles([&](const TileSum& tile) { tile.add_images(input, gradient, images, adds); });
  if (!adds) for_tiles([](const TileSum& tile) { tile.clear(); });
  const std::int32_t band = band_rows(layer);
  for (std::size_t image = 0; image < images; ++image)
    for (std::int32_t y = 0; y < layer.output.height; y += band)
      for_tiles(
          [&](const TileSum& tile) { tile.add_rows(input[image], gradient[image], y, y + band); });
}

}  // namespace lockstep::exec
