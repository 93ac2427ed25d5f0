// SPDX-License-Identifier: Apache-2.0
#include "sim/network/max_min.h"

#include <algorithm>

namespace lockstep::sim {

void MaxMin::clear() {
  resources_.clear();
  activities_.clear();
  uses_.clear();
}

std::uint32_t MaxMin::add_resource(double capacity) {
  resources_.push_back({.capacity = capacity});
  return static_cast<std::uint32_t>(resources_.size() - 1);
}

std::uint32_t MaxMin::add_activity(double cap, double weight) {
  activities_.push_back(
      {.cap = cap, .weight = weight, .first_use = static_cast<std::uint32_t>(uses_.size())});
  return static_cast<std::uint32_t>(activities_.size() - 1);
}

void MaxMin::add_use(const Use& use) {
  if (use.usage <= 0) return;
  uses_.push_back(use);
  ++activities_.back().uses;
  ++resources_[use.resource].users;
}

/// Turns the uses of the activities into the users of the resources.
void MaxMin::list_users() {
  std::uint32_t first = 0;
  for (Resource& resource : resources_) {
    resource.first_user = first;
    first += resource.users;
    resource.users = 0;
  }
  users_.resize(first);
  for (std::uint32_t a = 0; a < activities_.size(); ++a)
    for (std::uint32_t u = 0; u < activities_[a].uses; ++u) {
      const Use& use = uses_[activities_[a].first_use + u];
      Resource& resource = resources_[use.resource];
      users_[resource.first_user + resource.users++] = {a, use.usage};
    }
}

/// The level at which the resource is full; unlimited when nobody's rate grows on it any more.
/// What is left is the capacity minus the sum of what is frozen, each time from the start: taking
/// away one after another would leave the rounding errors of all behind.
double MaxMin::level_of(Resource& resource) const {
  double taken = 0;
  double growth = 0;
  for (std::uint32_t u = 0; u < resource.users; ++u) {
    const User& user = users_[resource.first_user + u];
    const Activity& activity = activities_[user.activity];
    if (activity.frozen)
      taken += user.usage * activity.rate;
    else
      growth += user.usage * activity.weight;
  }
  resource.stale = false;
  return growth > 0 ? std::max(0.0, resource.capacity - taken) / growth : kUnlimited;
}

namespace {

/// Makes the standard heap one with the least in front; equal levels in the order of numbers.
constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.level != b.level ? a.level > b.level : a.number > b.number;
};

}  // namespace

void MaxMin::push(double level, std::uint32_t number) {
  if (level == kUnlimited) return;
  limits_.push_back({level, number});
  std::push_heap(limits_.begin(), limits_.end(), kLater);
}

void MaxMin::freeze(Activity& activity, double rate) {
  activity.frozen = true;
  activity.rate = rate;
  for (std::uint32_t u = 0; u < activity.uses; ++u)
    resources_[uses_[activity.first_use + u].resource].stale = true;
}

void MaxMin::fill(const Resource& resource, double level) {
  for (std::uint32_t u = 0; u < resource.users; ++u) {
    Activity& activity = activities_[users_[resource.first_user + u].activity];
    if (!activity.frozen) freeze(activity, std::min(activity.cap, level * activity.weight));
  }
}

/// Progressive filling. The rates of all activities grow together, as level × weight. An activity
/// is frozen when it reaches its cap, or when a resource that it uses is full; the level at which
/// that happens is known for every cap and resource, so the least of them is next. Freezing
/// somebody at a level below that of a resource leaves more for the others there: levels only rise.
/// So the heap of levels may hold stale ones; they are too low, come up early, and are corrected
/// then.
void MaxMin::solve() {
  list_users();
  limits_.clear();
  const auto resources = static_cast<std::uint32_t>(resources_.size());
  for (std::uint32_t r = 0; r < resources; ++r)
    if (const double level = level_of(resources_[r]); level < kUnlimited)
      limits_.push_back({level, r});
  for (std::uint32_t a = 0; a < activities_.size(); ++a)
    if (activities_[a].cap < kUnlimited)
      limits_.push_back({activities_[a].cap / activities_[a].weight, resources + a});
  std::make_heap(limits_.begin(), limits_.end(), kLater);
  while (!limits_.empty()) {
    std::pop_heap(limits_.begin(), limits_.end(), kLater);
    const Limit limit = limits_.back();
    limits_.pop_back();
    if (limit.number >= resources) {
      Activity& activity = activities_[limit.number - resources];
      if (!activity.frozen) freeze(activity, activity.cap);
      continue;
    }
    Resource& resource = resources_[limit.number];
    if (!resource.stale) {
      fill(resource, limit.level);
      continue;
    }
    // Never below what it was, so that rounding cannot leave anybody without a share.
    const double level = std::max(limit.level, level_of(resource));
    if (!limits_.empty() && level > limits_.front().level)
      push(level, limit.number);
    else if (level < kUnlimited)
      fill(resource, level);
  }
}

}  // namespace lockstep::sim
