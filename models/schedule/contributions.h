// SPDX-License-Identifier: Apache-2.0
// Sets of ranks whose contributions a symbolic value contains.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/base/ids.h"
#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// A set that was met before, by number; equal sets have equal numbers.
using SetId = std::uint32_t;

/// All the sets of one proof, each stored once: a schedule makes few different ones.
class Contributions {
 public:
  /// What may be wrong with a value besides the ranks that it lacks; a sum inherits it.
  enum Flaw : std::uint64_t {
    kTwice = 1,      // some rank was added more than once
    kMaximum = 2,    // not a sum
    kForeign = 4,    // contains something that is no contribution
    kMisplaced = 8,  // contains another element's contributions
    kUnwritten = 16  // nothing was ever written there
  };

  explicit Contributions(std::int32_t ranks);

  static constexpr SetId unwritten() { return 0; }
  static constexpr SetId foreign() { return 1; }
  SetId own(Rank rank) const { return first_own_ + static_cast<SetId>(rank); }
  SetId none() const { return none_; }

  /// All ranks once, and no flaw.
  SetId all() const { return all_; }

  bool is_empty(SetId set) const;  // of ranks
  bool overlap(SetId a, SetId b) const;
  bool is_one(SetId set) const { return first_own_ <= set && set < all_; }
  bool contains(SetId set, SetId one) const { return overlap(set, one); }
  std::uint64_t flaws(SetId set) const { return words_[set * stride_ + stride_ - 1]; }
  bool is_complete(SetId set) const { return set == all_; }
  /// All ranks, by adding or by taking the maximum.
  bool is_complete_or_maximum(SetId set) const;
  /// Both together under `combine` (not Replace), with `flaws` besides.
  SetId join(SetId a, SetId b, Operator combine, std::uint64_t flaws);
  /// What is wrong with it as the sum over all ranks: "lacks ranks 1, 2", "was never written".
  std::string fault(SetId set) const;
  /// What is wrong with it as what rank `source` alone contributed.
  std::string fault(SetId set, Rank source) const;

 private:
  SetId intern(const std::vector<std::uint64_t>& words);
  bool has(SetId set, Rank rank) const;
  std::string ranks_of(SetId set, bool members) const;
  std::string flaws_as_text(SetId set) const;

  std::int32_t ranks_;
  std::size_t stride_;  // words per set: a bit per rank, then a word of flaws
  SetId first_own_;
  SetId all_;
  SetId none_;
  std::vector<std::uint64_t> words_;
  std::unordered_multimap<std::uint64_t, SetId> by_hash_;
  std::unordered_map<std::uint64_t, SetId> sums_;  // of sets without an overlap, by both numbers
  std::vector<std::uint64_t> work_;
};

}  // namespace lockstep::schedule
