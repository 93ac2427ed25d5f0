// SPDX-License-Identifier: Apache-2.0
#include "sim/network/fluid.h"

#include <algorithm>
#include <cmath>

#include "models/base/errors.h"

namespace lockstep::sim {

std::uint32_t Fluid::add_resource(double capacity) {
  LOCKSTEP_CHECK(capacity > 0, "a resource's capacity is " + std::to_string(capacity));
  resources_.push_back({.capacity = capacity});
  return static_cast<std::uint32_t>(resources_.size() - 1);
}

void Fluid::set_left(std::uint32_t resource, double share) {
  LOCKSTEP_CHECK(share >= 0 && share <= 1, "a share of " + std::to_string(share) + " is left");
  resources_[resource].left = std::llround(share * static_cast<double>(kFull));
  touch(resource);
}

void Fluid::meter(std::uint32_t resource) {
  resources_[resource].metered = metering_ = true;
}

double Fluid::used(std::uint32_t number) const {
  const Resource& resource = resources_[number];
  double used = resource.used;
  for (std::uint32_t slot = resource.first_slot; slot != kNone; slot = slots_[slot].next) {
    const Activity& activity = activities_[slots_[slot].activity];
    const ProfileUse& use = uses_of(profiles_[activity.profile])[slot - activity.first_slot];
    used += use.alike * use.usage * activity.rate * (queue_.now() - activity.since).seconds();
  }
  return used;
}

/// So much of the activity has been done.
void Fluid::count(const Activity& activity, double amount) {
  for (const ProfileUse& use : uses_of(profiles_[activity.profile]))
    if (resources_[use.resource].metered)
      resources_[use.resource].used += use.alike * use.usage * amount;
}

std::uint32_t Fluid::add_profile(double cap, double weight, std::span<const Use> uses) {
  Profile profile{cap, weight, static_cast<std::uint32_t>(profile_uses_.size()), 0};
  for (const Use& use : uses) {
    if (use.usage <= 0 || resources_[use.resource].capacity == kUnlimited) continue;
    const double capacity = resources_[use.resource].capacity;
    profile_uses_.push_back({use.resource, use.alike, use.usage, 0, Share(use, capacity, weight)});
  }
  profile.uses = static_cast<std::uint32_t>(profile_uses_.size()) - profile.first_use;
  for (const ProfileUse& use : uses_of(profile))
    profile.fastest = std::min(profile.fastest, resources_[use.resource].capacity / use.usage);
  for (ProfileUse& use : std::span(profile_uses_).subspan(profile.first_use))
    use.load =
        use.alike * std::llround(use.usage * profile.fastest / resources_[use.resource].capacity *
                                 static_cast<double>(kFull));
  profiles_.push_back(profile);
  return static_cast<std::uint32_t>(profiles_.size() - 1);
}

/// An activity with that many slots: one that has ended, or a new one.
std::uint32_t Fluid::take_activity(std::uint32_t uses) {
  if (idle_.size() <= uses) idle_.resize(uses + 1);
  if (!idle_[uses].empty()) {
    const std::uint32_t activity = idle_[uses].back();
    idle_[uses].pop_back();
    return activity;
  }
  const auto activity = static_cast<std::uint32_t>(activities_.size());
  activities_.emplace_back().first_slot = static_cast<std::uint32_t>(slots_.size());
  slots_.resize(slots_.size() + uses, Slot{kNone, kNone, activity});
  return activity;
}

void Fluid::touch(std::uint32_t resource) {
  if (resources_[resource].touched) return;
  resources_[resource].touched = true;
  touched_.push_back(resource);
}

void Fluid::enter(std::uint32_t resource, std::uint32_t slot) {
  std::uint32_t& first = resources_[resource].first_slot;
  slots_[slot].previous = kNone;
  slots_[slot].next = first;
  if (first != kNone) slots_[first].previous = slot;
  first = slot;
}

void Fluid::leave(std::uint32_t resource, std::uint32_t slot) {
  const Slot& left = slots_[slot];
  if (left.previous != kNone)
    slots_[left.previous].next = left.next;
  else
    resources_[resource].first_slot = left.next;
  if (left.next != kNone) slots_[left.next].previous = left.previous;
}

std::uint32_t Fluid::start(std::uint32_t profile, double amount, std::uint8_t event_kind,
                           std::uint32_t payload) {
  LOCKSTEP_CHECK(amount > 0, "an activity's amount is " + std::to_string(amount));
  const std::uint32_t number = take_activity(profiles_[profile].uses);
  Activity& activity = activities_[number];
  activity.remaining = amount;
  activity.rate = 0;
  activity.since = queue_.now();
  activity.event_time = Time::max();
  activity.event = UINT64_MAX;
  activity.profile = profile;
  activity.payload = payload;
  activity.event_kind = event_kind;
  std::uint32_t slot = activity.first_slot;
  for (const ProfileUse& use : uses_of(profiles_[profile])) {
    Resource& resource = resources_[use.resource];
    resource.load += use.load;
    if (resource.may_be_full()) touch(use.resource);
    enter(use.resource, slot++);
  }
  started_.push_back(number);
  return number;
}

std::optional<std::uint32_t> Fluid::ended(const Event& event) {
  const std::uint32_t number = event.payload;
  Activity& activity = activities_[number];
  if (activity.event != event.sequence) return std::nullopt;
  if (activity.end > event.time) {  // slowed down after its event was entered
    if (activity.rate <= 0) {       // it has another one when it moves again
      activity.event_time = Time::max();
      activity.event = UINT64_MAX;
      return std::nullopt;
    }
    activity.event_time = activity.end;
    activity.event = queue_.push(activity.end, activity.event_kind, number);
    return std::nullopt;
  }
  if (metering_) count(activity, activity.remaining);
  release(number);
  return activity.payload;
}

void Fluid::release(std::uint32_t number) {
  const Activity& activity = activities_[number];
  std::uint32_t slot = activity.first_slot;
  const Profile& profile = profiles_[activity.profile];
  for (const ProfileUse& use : uses_of(profile)) {
    Resource& resource = resources_[use.resource];
    if (resource.may_be_full()) touch(use.resource);
    resource.load -= use.load;
    leave(use.resource, slot++);
  }
  idle_[profile.uses].push_back(number);
}

std::vector<Fluid::Stopped> Fluid::stop_all(std::uint32_t resource) {
  std::vector<Stopped> stopped;
  while (resources_[resource].first_slot != kNone) {
    const std::uint32_t number = slots_[resources_[resource].first_slot].activity;
    Activity& activity = activities_[number];
    catch_up(activity);
    stopped.push_back({activity.payload, activity.remaining});
    activity.event = UINT64_MAX;
    std::erase(started_, number);
    release(number);
  }
  return stopped;
}

/// What remains is that of now.
void Fluid::catch_up(Activity& activity) {
  const Time now = queue_.now();
  if (activity.since == now) return;
  const double done = activity.rate * (now - activity.since).seconds();
  if (metering_) count(activity, std::min(done, activity.remaining));
  activity.remaining = std::max(0.0, activity.remaining - done);
  activity.since = now;
}

void Fluid::settle() {
  ++settling_;
  for (const std::uint32_t resource : touched_) {
    resources_[resource].touched = false;
    for (std::uint32_t slot = resources_[resource].first_slot; slot != kNone;
         slot = slots_[slot].next) {
      const std::uint32_t activity = slots_[slot].activity;
      if (activities_[activity].visited != settling_) share_from(activity);
    }
  }
  touched_.clear();
  for (const std::uint32_t activity : started_)
    if (activities_[activity].visited != settling_)
      set_rate(activity, profiles_[activities_[activity].profile].fastest);
  started_.clear();
}

/// Solves the system of the activities that are connected with this one. The resources that cannot
/// be full are left out: an activity's fastest rate, which heeds them, is its cap instead.
void Fluid::share_from(std::uint32_t first) {
  solver_.clear();
  connected_.assign(1, first);
  activities_[first].visited = settling_;
  for (std::size_t i = 0; i < connected_.size(); ++i) {
    const Profile& profile = profiles_[activities_[connected_[i]].profile];
    solver_.add_activity(profile.fastest, profile.weight);
    for (const ProfileUse& use : uses_of(profile)) {
      Resource& resource = resources_[use.resource];
      if (!resource.may_be_full()) continue;
      if (resource.visited != settling_) {
        resource.visited = settling_;
        resource.number = solver_.add_resource(
            resource.capacity, static_cast<double>(resource.left) / static_cast<double>(kFull));
        visit_users(resource);
      }
      solver_.add_share(resource.number, use.share);
    }
  }
  solver_.solve();
  for (std::size_t i = 0; i < connected_.size(); ++i)
    set_rate(connected_[i], solver_.rate(static_cast<std::uint32_t>(i)));
}

void Fluid::visit_users(const Resource& resource) {
  for (std::uint32_t slot = resource.first_slot; slot != kNone; slot = slots_[slot].next) {
    const std::uint32_t user = slots_[slot].activity;
    if (activities_[user].visited == settling_) continue;
    activities_[user].visited = settling_;
    connected_.push_back(user);
  }
}

/// An activity that is slowed down keeps its event, which comes too early and is put right then
/// (ended()); so an activity whose rate goes up and down costs few events.
void Fluid::set_rate(std::uint32_t number, double rate) {
  Activity& activity = activities_[number];
  if (activity.rate == rate) return;
  catch_up(activity);
  activity.rate = rate;
  if (rate <= 0) {
    activity.end = Time::max();
    return;
  }
  // A hair below the ceiling, as in transfer_time(); the queue refuses what would take for ever.
  const double picoseconds = std::ceil(activity.remaining / rate * 1e12 * (1 - 0x1p-48));
  constexpr auto kNever = static_cast<double>(EventQueue::kNever.picoseconds);
  activity.end = queue_.now() + Time{static_cast<std::int64_t>(std::min(picoseconds, kNever))};
  if (activity.end >= activity.event_time) return;
  activity.event_time = activity.end;
  activity.event = queue_.push(activity.end, activity.event_kind, number);
}

}  // namespace lockstep::sim
