// SPDX-License-Identifier: Apache-2.0
// Sliding packed weights over a batch, shared out to a team.
#pragma once

#include <algorithm>
#include <cstddef>

#include "exec/kernels/correlation.h"
#include "exec/kernels/share.h"
#include "exec/kernels/team.h"
#include "exec/kernels/tile.h"

namespace lockstep::exec {

/// Weights of all groups of a convolution as panels of `rows` rows; number p is panel p % per_group
/// of group p / per_group.
struct Panels {
  std::size_t rows = 0;
  std::size_t per_group = 0;
  std::size_t groups = 1;

  std::size_t count() const { return per_group * groups; }
  std::size_t floats() const { return rows * kTileColumns; }  // of one
  /// So many stay in a cache near the core.
  std::size_t near() const {
    constexpr std::size_t kNearFloats = std::size_t{128} << 10;
    return std::max<std::size_t>(1, kNearFloats / floats());
  }
  /// Few are packed once and each thread goes through a share of the rows. Many are shared out,
  /// and each thread goes through all rows with a few at a time, which it has packed for itself:
  /// so they are read once, and none is packed into memory far away.
  bool are_shared(std::size_t threads) const { return count() <= std::max(near(), threads - 1); }
  std::size_t scratch(std::size_t threads) const {
    return floats() * (are_shared(threads) ? count() : threads * std::min(near(), count()));
  }
};

/// Some panels of one group, packed one behind the other.
struct PackedPanels {
  std::size_t group = 0;
  Range range;  // within the group
  const float* weights = nullptr;
  std::size_t floats = 0;  // of one panel

  Panel operator[](std::size_t index) const {
    return {index, weights + (index - range.first) * floats};
  }
};

/// Which of all rows a thread goes through, as part `part` of `parts`.
struct RowShare {
  std::size_t part = 0;
  std::size_t parts = 1;
};

/// For panels that are shared: packs all, by calling pack(number, to) for each.
template <typename Pack>
void pack_shared(const Panels& panels, Team& team, float* scratch, const Pack& pack) {
  team.run([&](std::size_t part) {
    const Range mine = share(panels.count(), part, team.size());
    for (std::size_t p = mine.first; p < mine.last; ++p)
      pack(p, scratch + p * panels.floats());
  });
}

/// For panels that are shared and packed: one thread's part, by calling work(packed, rows).
template <typename Work>
void work_shared(const Panels& panels, const float* scratch, RowShare rows, const Work& work) {
  for (std::size_t g = 0; g < panels.groups; ++g)
    work(PackedPanels{g,
                      {0, panels.per_group},
                      scratch + g * panels.per_group * panels.floats(),
                      panels.floats()},
         rows);
}

/// For panels that are not shared: packs those of part `part` of `parts`, some at a time, and goes
/// through all rows with them.
template <typename Pack, typename Work>
void work_alone(const Panels& panels, float* scratch, RowShare own, const Pack& pack,
                const Work& work) {
  float* packed = scratch + own.part * panels.near() * panels.floats();
  const Range mine = share(panels.count(), own.part, own.parts);
  for (std::size_t p = mine.first; p < mine.last;) {
    const std::size_t group = p / panels.per_group;
    const std::size_t begin = group * panels.per_group;
    const std::size_t end = std::min({p + panels.near(), mine.last, begin + panels.per_group});
    for (std::size_t q = p; q < end; ++q)
      pack(q, packed + (q - p) * panels.floats());
    work(PackedPanels{group, {p - begin, end - begin}, packed, panels.floats()}, RowShare{});
    p = end;
  }
}

/// The panels' outputs at a share of all rows of a batch.
void correlate_share(const Correlation& correlation, Images<const float> in, std::size_t batch,
                     const PackedPanels& panels, Images<float> out, RowShare rows);

}  // namespace lockstep::exec
