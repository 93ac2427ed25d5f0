// SPDX-License-Identifier: Apache-2.0
// Which ranks do the same: what an algorithm declares of its programs, so that the simulator needs
// to go through one of them only.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep::schedule {

/// Renumberings of the ranks that leave the programs of all ranks what they are: every peer becomes
/// its image; verbs, lanes, operators, streams, element counts and dependencies stay; only where in
/// a buffer the data are may change.
struct Symmetry {
  /// Any renumbering is one: the ranks do the same and nobody sends.
  bool is_full = false;
  /// Ranks are numbers with a digit of each of these radices, the first one least significant. To
  /// add something to one digit of all ranks, modulo its radix, is such a renumbering. Empty: none
  /// is known.
  std::vector<std::int32_t> radices{};

  friend bool operator==(const Symmetry&, const Symmetry&) = default;
};

/// What both have.
inline Symmetry common(const Symmetry& a, const Symmetry& b) {
  if (a.is_full || a == b) return b;
  return b.is_full ? a : Symmetry{};
}

}  // namespace lockstep::schedule
