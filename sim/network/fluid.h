// SPDX-License-Identifier: Apache-2.0
// Activities that share resources while time passes: each runs at its max-min fair rate, which
// changes whenever others start and end, until its amount is done.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/base/units.h"
#include "sim/engine/event_queue.h"
#include "sim/network/max_min.h"

namespace lockstep::sim {

/// Only what a start or an end can have changed is recomputed: the activities connected with it
/// through resources that may be full. A resource on which all activities could run as fast as they
/// do alone cannot hold anybody back and connects nobody; in an uncontended network every activity
/// is on its own. The queue must outlive the Fluid; its clock is the Fluid's.
class Fluid {
 public:
  explicit Fluid(EventQueue& queue) : queue_(queue) {}
  Fluid(const Fluid&) = delete;
  Fluid& operator=(const Fluid&) = delete;

  /// Numbered 0, 1, …; units per second, > 0, kUnlimited allowed.
  std::uint32_t add_resource(double capacity);
  /// From now on activities have this share of the resource's capacity, 0 … 1; others, which are
  /// none of the Fluid's, take the rest. With 0 the activities on it stand still.
  void set_left(std::uint32_t resource, double share);
  /// From now on it is known how much of the resource has been used.
  void meter(std::uint32_t resource);
  /// Of a metered resource, until now: capacity × seconds at most.
  double used(std::uint32_t resource) const;
  /// A kind of activity, numbered 0, 1, …: it runs at `cap` at most (kUnlimited allowed), competes
  /// with `weight` > 0, and uses resources, each of them once. Where one resource stands for
  /// several that are alike, it may have a use for each.
  std::uint32_t add_profile(double cap, double weight, std::span<const Use> uses);
  /// The rate of an activity of this kind that has all resources to itself.
  double fastest(std::uint32_t profile) const { return profiles_[profile].fastest; }

  /// An activity of `amount` > 0 begins now. When it ends, an event of `event_kind` is due, for
  /// which ended() gives back `payload`. Returns a number that is the activity's own until then.
  std::uint32_t start(std::uint32_t profile, double amount, std::uint8_t event_kind,
                      std::uint32_t payload);
  /// Whether activities have started or ended that settle() has not yet seen.
  bool unsettled() const { return !started_.empty() || !touched_.empty(); }
  /// Gives all activities their rates. Once after everything that happens at one time, before the
  /// queue's next event of a later time is taken out.
  void settle();
  /// For an event of an activity: its payload if it ends with this event. Otherwise the activity
  /// was slowed down or sped up meanwhile, and the event means nothing.
  std::optional<std::uint32_t> ended(const Event& event);

  /// What was left of an activity that was stopped.
  struct Stopped {
    std::uint32_t payload = 0;
    double remaining = 0;
  };
  /// Ends all activities on a resource, in no order; there will be no events of theirs.
  std::vector<Stopped> stop_all(std::uint32_t resource);

  /// Of a running activity, as last settled.
  double rate(std::uint32_t activity) const { return activities_[activity].rate; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// Loads are counted in shares of the capacity, as integers so that adding and taking away
  /// leaves nothing behind. A load above what is left means that the resource may be full.
  static constexpr std::int64_t kFull = std::int64_t{1} << 40;

  struct Resource {
    double capacity = 0;
    std::int64_t load = 0;  // if all activities on it ran as fast as they do alone
    std::int64_t left = kFull;
    std::uint32_t first_slot = kNone;
    std::uint32_t number = 0;   // in the system being solved
    std::uint64_t visited = 0;  // the settling that saw it last
    double used = 0;  // if it is metered, but for what activities have done at their present rates
    bool metered = false;
    bool touched = false;

    bool may_be_full() const { return load > left; }
  };
  struct ProfileUse {
    std::uint32_t resource = 0;
    std::uint32_t alike = 1;  // see Use
    double usage = 0;
    std::int64_t load = 0;  // share of the capacity at the fastest rate, of all that are alike
    Share share;
  };
  struct Profile {
    double fastest = 0;
    double weight = 1;
    std::uint32_t first_use = 0;
    std::uint32_t uses = 0;
  };
  struct Activity {
    double remaining = 0;  // at `since`
    double rate = 0;
    Time since;
    Time end;
    Time event_time;
    std::uint64_t event = 0;  // sequence number of its event
    std::uint64_t visited = 0;
    std::uint32_t profile = 0;
    std::uint32_t payload = 0;
    std::uint32_t first_slot = 0;
    std::uint8_t event_kind = 0;
  };
  /// An activity's place in the list of those on a resource; one for each of its uses.
  struct Slot {
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    std::uint32_t activity = 0;
  };

  std::span<const ProfileUse> uses_of(const Profile& profile) const {
    return {profile_uses_.data() + profile.first_use, profile.uses};
  }
  std::uint32_t take_activity(std::uint32_t uses);
  void touch(std::uint32_t resource);
  void enter(std::uint32_t resource, std::uint32_t slot);
  void leave(std::uint32_t resource, std::uint32_t slot);
  void release(std::uint32_t activity);
  void catch_up(Activity& activity);
  void share_from(std::uint32_t activity);
  void visit_users(const Resource& resource);
  void set_rate(std::uint32_t activity, double rate);
  void count(const Activity& activity, double amount);

  EventQueue& queue_;
  MaxMin solver_;
  std::vector<Resource> resources_;
  std::vector<ProfileUse> profile_uses_;
  std::vector<Profile> profiles_;
  std::vector<Activity> activities_;
  std::vector<Slot> slots_;
  std::vector<std::vector<std::uint32_t>> idle_;  // activities that have ended, by number of uses
  std::vector<std::uint32_t> started_;            // since the last settling
  std::vector<std::uint32_t> touched_;            // resources to recompute
  std::vector<std::uint32_t> connected_;          // the activities being solved
  std::uint64_t settling_ = 0;
  bool metering_ = false;
};

}  // namespace lockstep::sim
