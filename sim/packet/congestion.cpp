// SPDX-License-Identifier: Apache-2.0
#include "sim/packet/congestion.h"

#include <algorithm>
#include <cmath>

namespace lockstep::sim {

namespace {

// RFC 9438, 4.1 to 4.6.
constexpr double kCubic = 0.4;
constexpr double kKept = 0.7;  // of the window, at a loss
constexpr double kFriendly = 3 * (1 - kKept) / (1 + kKept);

// HyStart as in Linux: from 16 packets on slow start ends when the least of a round's first eight
// round trips is longer than the least of all by an eighth, 4 ms at least and 16 ms at most; or
// when acknowledgements less than 2 ms apart have come for half a round trip and a millisecond.
constexpr double kLeastWindow = 16;
constexpr int kSamples = 8;
constexpr double kLeastRise = 4e-3;
constexpr double kMostRise = 16e-3;
constexpr double kTrainGap = 2e-3;
constexpr double kTrainSlack = 1e-3;

}  // namespace

void Congestion::idled(double seconds, double timeout) {
  if (seconds <= timeout) return;
  if (threshold_ < kNone) threshold_ = std::max(threshold_, 0.75 * window_);
  for (double left = seconds; left > timeout && window_ > kInitial; left -= timeout)
    window_ = std::max(window_ / 2, kInitial);
  epoch_ = -1;
}

void Congestion::look_for_delay(double round_trip, double now) {
  if (round_begins_) {
    round_begins_ = false;
    round_began_ = last_ = now;
    least_of_round_ = kNone;
    samples_ = 0;
  }
  if (window_ < kLeastWindow) return;
  if (now - last_ <= kTrainGap) {
    last_ = now;
    if (now - round_began_ > (least_ + kTrainSlack) / 2) threshold_ = window_;
  }
  least_of_round_ = std::min(least_of_round_, round_trip);
  if (++samples_ < kSamples) return;
  if (least_of_round_ > least_ + std::clamp(least_ / 8, kLeastRise, kMostRise))
    threshold_ = window_;
}

void Congestion::acknowledged(double fresh, double round_trip, double now, double most_under_way) {
  const bool is_slow_start = window_ < threshold_;
  if (round_trip > 0) least_ = std::min(least_, round_trip);
  if (is_slow_start && round_trip > 0) look_for_delay(round_trip, now);
  if (is_slow_start) {
    if (window_ < 2 * most_under_way) window_ += fresh;
    return;
  }
  if (most_under_way + 1 < window_) return;
  if (epoch_ < 0) {
    epoch_ = now;
    plateau_ = std::max(plateau_, window_);
    until_plateau_ = std::cbrt((plateau_ - window_) / kCubic);
    friendly_ = window_;
  }
  friendly_ += kFriendly * fresh / window_;
  window_ = std::max(window_ + fresh * cubic_growth(now + round_trip),
                     std::min(friendly_, window_ + fresh));
}

/// By how much an acknowledged packet lets the window grow: half a packet at most.
double Congestion::cubic_growth(double now) const {
  const double goal = plateau_ + kCubic * std::pow(now - epoch_ - until_plateau_, 3);
  return std::clamp((goal - window_) / window_, 0.0, 0.5);
}

void Congestion::reduce() {
  // Fast convergence: who loses before its last plateau leaves room for others.
  plateau_ = window_ < plateau_ ? window_ * (1 + kKept) / 2 : window_;
  threshold_ = std::max(kKept * window_, 2.0);
  epoch_ = -1;
}

void Congestion::lost() {
  reduce();
  window_ = threshold_;
}

void Congestion::timed_out() {
  reduce();
  window_ = 1;
}

}  // namespace lockstep::sim
