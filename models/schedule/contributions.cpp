// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/contributions.h"

#include <algorithm>
#include <bit>

namespace lockstep::schedule {

Contributions::Contributions(std::int32_t ranks)
    : ranks_(ranks), stride_((static_cast<std::size_t>(ranks) + 63) / 64 + 1), work_(stride_) {
  work_.back() = kUnwritten;
  intern(work_);
  work_.back() = kForeign;
  intern(work_);
  first_own_ = 2;
  for (Rank rank = 0; rank < ranks; ++rank) {
    std::fill(work_.begin(), work_.end(), 0);
    work_[static_cast<std::size_t>(rank) / 64] = std::uint64_t{1} << (rank % 64);
    intern(work_);
  }
  std::fill(work_.begin(), work_.end(), 0);
  for (Rank rank = 0; rank < ranks; ++rank)
    work_[static_cast<std::size_t>(rank) / 64] |= std::uint64_t{1} << (rank % 64);
  all_ = intern(work_);
  std::fill(work_.begin(), work_.end(), 0);
  none_ = intern(work_);
}

SetId Contributions::intern(const std::vector<std::uint64_t>& words) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : words)
    hash = (std::rotl(hash, 7) ^ word) * 0x9E3779B97F4A7C15u;
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto same = first; same != last; ++same)
    if (std::equal(words.begin(), words.end(),
                   words_.begin() + static_cast<std::ptrdiff_t>(same->second * stride_)))
      return same->second;
  const auto id = static_cast<SetId>(words_.size() / stride_);
  words_.insert(words_.end(), words.begin(), words.end());
  by_hash_.emplace(hash, id);
  return id;
}

bool Contributions::has(SetId set, Rank rank) const {
  return words_[set * stride_ + static_cast<std::size_t>(rank) / 64] >> (rank % 64) & 1;
}

bool Contributions::is_empty(SetId set) const {
  for (std::size_t w = 0; w + 1 < stride_; ++w)
    if (words_[set * stride_ + w] != 0) return false;
  return true;
}

bool Contributions::overlap(SetId a, SetId b) const {
  for (std::size_t w = 0; w + 1 < stride_; ++w)
    if ((words_[a * stride_ + w] & words_[b * stride_ + w]) != 0) return true;
  return false;
}

bool Contributions::is_complete_or_maximum(SetId set) const {
  int members = 0;
  for (std::size_t w = 0; w + 1 < stride_; ++w)
    members += std::popcount(words_[set * stride_ + w]);
  const bool is_maximum = (flaws(set) & kMaximum) != 0;
  // A rank that took part twice changes no maximum.
  return set == all_ || (is_maximum && members == ranks_ && (flaws(set) & ~kTwice) == kMaximum);
}

SetId Contributions::join(SetId a, SetId b, Operator combine, std::uint64_t flaws) {
  const bool is_plain = combine == Operator::Sum && flaws == 0;
  const std::uint64_t key = std::uint64_t{a} << 32 | b;
  if (is_plain)
    if (const auto known = sums_.find(key); known != sums_.end()) return known->second;
  for (std::size_t w = 0; w < stride_; ++w)
    work_[w] = words_[a * stride_ + w] | words_[b * stride_ + w];
  work_.back() |= flaws;
  if (combine == Operator::Max)
    work_.back() |= kMaximum;
  else if (overlap(a, b))
    work_.back() |= kTwice;
  if ((work_.back() & kUnwritten) != 0) {
    work_.back() &= ~std::uint64_t{kUnwritten};
    work_.back() |= kForeign;
  }
  const SetId joined = intern(work_);
  if (is_plain) sums_.emplace(key, joined);
  return joined;
}

std::string Contributions::fault(SetId set) const {
  if ((flaws(set) & kUnwritten) != 0) return "was never written";
  const std::string missing = ranks_of(set, false);
  const std::string flaws = flaws_as_text(set);
  if (missing.empty()) return flaws;
  return "lacks " + missing + (flaws.empty() ? "" : ", " + flaws);
}

std::string Contributions::fault(SetId set, Rank source) const {
  if ((flaws(set) & kUnwritten) != 0) return "was never written";
  const std::string members = ranks_of(set, true);
  const std::string flaws = flaws_as_text(set);
  return "is not what rank " + std::to_string(source) + " had" +
         (members.empty() ? "" : ", but what " + members + " had") +
         (flaws.empty() ? "" : ", " + flaws);
}

/// "rank 3", "ranks 1, 2": the ranks in the set, or those not in it.
std::string Contributions::ranks_of(SetId set, bool members) const {
  constexpr int kNamed = 8;
  std::string named;
  int count = 0;
  for (Rank rank = 0; rank < ranks_; ++rank)
    if (has(set, rank) == members && count++ < kNamed)
      named += (named.empty() ? "" : ", ") + std::to_string(rank);
  if (count > kNamed) named += " and " + std::to_string(count - kNamed) + " more";
  if (count == 0) return "";
  return (count == 1 ? "rank " : "ranks ") + named;
}

std::string Contributions::flaws_as_text(SetId set) const {
  std::string text;
  const auto also = [&](Flaw flaw, const char* what) {
    if ((flaws(set) & flaw) != 0) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  also(kTwice, "counts a rank more than once");
  also(kMaximum, "is no sum but a maximum");
  also(kForeign, "contains something that no rank contributed");
  also(kMisplaced, "contains contributions to other elements");
  return text;
}

}  // namespace lockstep::schedule
