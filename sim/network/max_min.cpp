// SPDX-License-Identifier: Apache-2.0
#include "sim/network/max_min.h"

#include <algorithm>
#include <cmath>

namespace lockstep::sim {

Share::Share(const Use& use, double capacity, double weight)
    : of_rate(use.usage * (1 / capacity)), alike(use.alike) {
  // Whole and fraction by themselves: a conversion to 128 bits at once takes several times as long.
  const double rise = std::min(of_rate * weight, 0x1p40);
  const auto whole = static_cast<std::uint64_t>(rise);
  const auto fraction = static_cast<std::uint64_t>((rise - static_cast<double>(whole)) * 0x1p63)
                        << 1;
  growth = ((Wide{whole} << 64) | fraction) * alike;
}

void MaxMin::clear() {
  resources_.clear();
  activities_.clear();
  shares_.clear();
}

std::uint32_t MaxMin::add_resource(double capacity, double left) {
  resources_.push_back({.capacity = capacity, .left = static_cast<std::int64_t>(left * kWhole)});
  return static_cast<std::uint32_t>(resources_.size() - 1);
}

std::uint32_t MaxMin::add_activity(double cap, double weight) {
  activities_.push_back(
      {.cap = cap, .weight = weight, .first_use = static_cast<std::uint32_t>(shares_.size())});
  return static_cast<std::uint32_t>(activities_.size() - 1);
}

void MaxMin::add_use(const Use& use) {
  if (use.usage <= 0) return;
  add_share(use.resource, Share(use, resources_[use.resource].capacity, activities_.back().weight));
}

void MaxMin::add_share(std::uint32_t resource, const Share& share) {
  resources_[resource].growth += share.growth;
  shares_.push_back({resource, share});
  ++activities_.back().uses;
}

double MaxMin::Resource::full_at() const {
  if (growth == 0) return kUnlimited;
  const double rise = static_cast<double>(static_cast<std::uint64_t>(growth >> 64)) +
                      static_cast<double>(static_cast<std::uint64_t>(growth)) * 0x1p-64;
  return static_cast<double>(std::max<std::int64_t>(left, 0)) / (rise * kWhole);
}

/// The least level at which a resource is full or an activity at its cap.
double MaxMin::next_level() {
  double next = kUnlimited;
  for (Resource& resource : resources_) {
    resource.level = resource.full_at();
    next = std::min(next, resource.level);
  }
  for (const std::uint32_t number : open_)
    next = std::min(next, activities_[number].cap / activities_[number].weight);
  return next;
}

/// Whether a resource that the activity uses is full at that level.
bool MaxMin::is_held(const Activity& activity, double level) const {
  for (std::uint32_t u = 0; u < activity.uses; ++u)
    if (resources_[shares_[activity.first_use + u].resource].level <= level) return true;
  return false;
}

void MaxMin::freeze(Activity& activity, double rate) {
  activity.rate = rate;
  for (std::uint32_t u = 0; u < activity.uses; ++u) {
    const auto& [number, share] = shares_[activity.first_use + u];
    Resource& resource = resources_[number];
    resource.growth -= share.growth;
    resource.left -=
        std::int64_t{share.alike} * static_cast<std::int64_t>(share.of_rate * rate * kWhole + 0.5);
  }
}

/// Progressive filling. The rates of all activities grow together, as level × weight. In each round
/// those are frozen that are at their cap or on a full resource, at the least level where there is
/// one. Rounding may leave resources that are full at the same level at slightly different ones:
/// they are taken together, at the least of them.
void MaxMin::solve() {
  open_.clear();
  for (std::uint32_t a = 0; a < activities_.size(); ++a)
    open_.push_back(a);
  double level = 0;
  while (!open_.empty()) {
    const double next = next_level();
    if (next == kUnlimited) return;
    level = std::max(level, next);
    const double reached = level * (1 + 0x1p-40);
    std::size_t kept = 0;
    for (const std::uint32_t number : open_) {
      Activity& activity = activities_[number];
      if (is_held(activity, reached))
        freeze(activity, std::min(activity.cap, level * activity.weight));
      else if (activity.cap <= reached * activity.weight)
        freeze(activity, activity.cap);
      else
        open_[kept++] = number;
    }
    open_.resize(kept);
  }
}

}  // namespace lockstep::sim
