// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/judge.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "exec/transport/clock.h"

namespace lockstep::exec {

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

std::string hexadecimal(std::uint64_t hash) {
  char text[32];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

}  // namespace

Judge::Judge(Rank self, std::vector<std::string> names, std::int64_t timeout_ns,
             std::int64_t now_ns)
    : self_(self), names_(std::move(names)), timeout_ns_(timeout_ns), watched_(names_.size()) {
  for (Rank r = 0; r < static_cast<Rank>(names_.size()); ++r)
    watched_[static_cast<std::size_t>(r)] = {r != self && (self == 0 || r == 0), now_ns};
}

void Judge::heard(Rank from, std::int64_t now_ns) {
  watched_[static_cast<std::size_t>(from)].heard_ns = now_ns;
}

void Judge::ended(Rank peer, const std::string& cause) {
  if (watched_[static_cast<std::size_t>(peer)].watched)
    decide(peer, "lost " + names_[static_cast<std::size_t>(peer)] + ": " + cause);
}

void Judge::left(Rank peer) {
  watched_[static_cast<std::size_t>(peer)].watched = false;
}

void Judge::failed(Rank peer, const std::string& reason) {
  decide(peer, names_[static_cast<std::size_t>(peer)] + " failed: " + reason);
}

void Judge::suspected(Rank by, Rank peer, const std::string& cause, std::int64_t now_ns) {
  if (suspicion_) return;
  std::string text = "lost " + names_[static_cast<std::size_t>(peer)] + ": " + cause;
  if (by != self_) text += " (seen by rank " + std::to_string(by) + ")";
  suspicion_ = {std::move(text), peer, now_ns + (self_ == 0 ? 500 : 1000) * kMillisecond};
}

void Judge::hashed(Rank from, std::int32_t iteration, std::uint64_t hash) {
  auto& hashes = hashes_.try_emplace(iteration, names_.size()).first->second;
  hashes[static_cast<std::size_t>(from)] = hash;
  if (!std::all_of(hashes.begin(), hashes.end(), [](const auto& h) { return h.has_value(); }))
    return;
  compare(iteration, hashes);
  hashes_.erase(iteration);
}

void Judge::compare(std::int32_t iteration,
                    const std::vector<std::optional<std::uint64_t>>& hashes) {
  std::map<std::uint64_t, std::size_t> votes;
  for (const auto& hash : hashes)
    ++votes[*hash];
  if (votes.size() == 1) return;
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const bool majority = 2 * most->second > hashes.size();
  Rank culprit = -1;
  std::string who;
  for (std::size_t r = 0; r < hashes.size(); ++r) {
    if (majority && *hashes[r] == most->first) continue;
    culprit = who.empty() && majority ? static_cast<Rank>(r) : -1;
    who += (who.empty() ? "" : ", ") + names_[r] + " (hash " + hexadecimal(*hashes[r]) + ")";
  }
  const std::string after = " after iteration " + std::to_string(iteration);
  decide(culprit, majority ? "different parameters" + after + " on " + who +
                                 " than on most ranks (hash " + hexadecimal(most->first) + ")"
                           : "different parameters" + after + " on " + who);
}

void Judge::slept(std::int64_t now_ns) {
  for (Watched& watched : watched_)
    watched.heard_ns = now_ns;
}

void Judge::decide(Rank peer, std::string cause) {
  if (!verdict_) verdict_ = Verdict{peer, std::move(cause)};
}

const std::optional<Verdict>& Judge::verdict(std::int64_t now_ns) {
  for (std::size_t r = 0; r < watched_.size(); ++r)
    if (watched_[r].watched && now_ns - watched_[r].heard_ns >= timeout_ns_)
      decide(static_cast<Rank>(r), "lost " + names_[r] + ": no heartbeat for " +
                                       describe_seconds(std::chrono::nanoseconds(timeout_ns_)));
  if (suspicion_ && now_ns >= suspicion_->decide_ns) decide(suspicion_->peer, suspicion_->text);
  return verdict_;
}

std::int64_t Judge::next_deadline_ns() const {
  std::int64_t next = suspicion_ ? suspicion_->decide_ns : INT64_MAX;
  for (const Watched& watched : watched_)
    if (watched.watched) next = std::min(next, watched.heard_ns + timeout_ns_);
  return next;
}

}  // namespace lockstep::exec
