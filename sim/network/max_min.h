// SPDX-License-Identifier: Apache-2.0
// Weighted max-min fair sharing of resources (links, cores, memory) among activities (flows,
// computations), solved at one moment. Knows nothing of time.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace lockstep::sim {

inline constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// An activity at rate x takes usage × x of the resource's capacity.
struct Use {
  std::uint32_t resource = 0;
  double usage = 1;
};

/// One system of resources and activities. The rates are the only ones with this property
/// (Bertsekas and Gallager, Data Networks, 6.5.2): no resource carries more than its capacity, no
/// activity runs above its cap, and every activity below its cap uses a full resource on which
/// nobody has a larger rate ÷ weight. Ready for the next system after clear(), without allocation.
class MaxMin {
 public:
  void clear();
  /// Numbered 0, 1, …; `capacity` > 0.
  std::uint32_t add_resource(double capacity);
  /// Numbered 0, 1, …; `cap` may be kUnlimited; `weight` > 0 and finite.
  std::uint32_t add_activity(double cap, double weight);
  /// The activity added last uses the resource, once at most; a usage of 0 is none.
  void add_use(const Use& use);

  void solve();
  /// After solve(). kUnlimited for an activity without cap and uses.
  double rate(std::uint32_t activity) const { return activities_[activity].rate; }

 private:
  struct Resource {
    double capacity = 0;
    std::uint32_t first_user = 0;
    std::uint32_t users = 0;
    bool stale = false;  // an activity on it has been frozen since its level was computed
  };
  struct Activity {
    double cap = 0;
    double weight = 1;
    double rate = kUnlimited;
    std::uint32_t first_use = 0;
    std::uint32_t uses = 0;
    bool frozen = false;
  };
  struct User {
    std::uint32_t activity = 0;
    double usage = 1;
  };
  /// The level at which a resource (number) or a cap (resources + activity) freezes somebody.
  struct Limit {
    double level = 0;
    std::uint32_t number = 0;
  };

  void list_users();
  double level_of(Resource& resource) const;
  void push(double level, std::uint32_t number);
  void freeze(Activity& activity, double rate);
  void fill(const Resource& resource, double level);

  std::vector<Resource> resources_;
  std::vector<Activity> activities_;
  std::vector<Use> uses_;      // of each activity in turn
  std::vector<User> users_;    // of each resource in turn
  std::vector<Limit> limits_;  // a heap, least level first
};

}  // namespace lockstep::sim
