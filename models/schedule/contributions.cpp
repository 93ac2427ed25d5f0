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

bool Contributions::is_complete(SetId set) const {
  int members = 0;
  for (std::size_t w = 0; w + 1 < stride_; ++w)
    members += std::popcount(words_[set * stride_ + w]);
  return members == ranks_ && flaws(set) == 0;
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
  constexpr std::size_t kNamed = 8;
  const std::uint64_t flaws_of_set = flaws(set);
  if ((flaws_of_set & kUnwritten) != 0) return "was never written";
  std::string text;
  const auto also = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  std::vector<Rank> missing;
  for (Rank rank = 0; rank < ranks_; ++rank)
    if (!has(set, rank)) missing.push_back(rank);
  if (!missing.empty()) {
    std::string ranks;
    for (std::size_t i = 0; i < std::min(missing.size(), kNamed); ++i)
      ranks += (i == 0 ? "" : ", ") + std::to_string(missing[i]);
    if (missing.size() > kNamed)
      ranks += " and " + std::to_string(missing.size() - kNamed) + " more";
    also((missing.size() == 1 ? "lacks rank " : "lacks ranks ") + ranks);
  }
  if ((flaws_of_set & kTwice) != 0) also("counts a rank more than once");
  if ((flaws_of_set & kMaximum) != 0) also("is no sum but a maximum");
  if ((flaws_of_set & kForeign) != 0) also("contains something that no rank contributed");
  if ((flaws_of_set & kMisplaced) != 0) also("contains contributions to other elements");
  return text;
}

}  // namespace lockstep::schedule
