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
  /// So many activities like this one, itself included, use the resource like that. They are one
  /// here: all have the same rate.
  std::uint32_t alike = 1;
};

/// What an activity takes of a resource for each unit of its rate, and of the level: to be found
/// once where the same activity is solved again and again.
struct Share {
  /// Sums of shares of a capacity are integers, so that neither their order nor taking away what
  /// was added leaves anything behind: left in units of 2⁻⁶², growth in units of 2⁻⁶⁴.
  __extension__ using Wide = unsigned __int128;

  Share() = default;
  /// Of a resource of that capacity, for an activity of that weight.
  Share(const Use& use, double capacity, double weight);

  double of_rate = 0;
  Wide growth = 0;  // of all that are alike
  std::uint32_t alike = 1;
};

/// One system of resources and activities. The rates are the only ones with this property
/// (Bertsekas and Gallager, Data Networks, 6.5.2): no resource carries more than its capacity, no
/// activity runs above its cap, and every activity below its cap uses a full resource on which
/// nobody has a larger rate ÷ weight. Levels that differ by less than 2⁻⁴⁰ of them are taken for
/// equal. The rates do not depend on the order in which anything was added, bit for bit, nor on
/// whether activities that are alike are added one by one or as one. Ready for the next system
/// after clear(), without allocation.
class MaxMin {
 public:
  void clear();
  /// Numbered 0, 1, …; `capacity` > 0, of which the share `left` (0 … 1) is to be given away.
  std::uint32_t add_resource(double capacity, double left = 1);
  /// Numbered 0, 1, …; `cap` may be kUnlimited; `weight` > 0 and finite.
  std::uint32_t add_activity(double cap, double weight);
  /// Of the activity added last; a usage of 0 is none.
  void add_use(const Use& use);
  void add_share(std::uint32_t resource, const Share& share);

  void solve();
  /// After solve(). kUnlimited for an activity without cap and uses; 0 where nothing is left.
  double rate(std::uint32_t activity) const { return activities_[activity].rate; }

 private:
  static constexpr double kWhole = 0x1p62;

  struct Resource {
    double capacity = 0;
    std::int64_t left = std::int64_t{1} << 62;
    Share::Wide growth = 0;  // how much more is used when the level rises by 1
    double level = 0;

    double full_at() const;
  };
  struct Activity {
    double cap = 0;
    double weight = 1;
    double rate = kUnlimited;
    std::uint32_t first_use = 0;
    std::uint32_t uses = 0;
  };
  struct Taken {
    std::uint32_t resource = 0;
    Share share;
  };

  double next_level();
  bool is_held(const Activity& activity, double level) const;
  void freeze(Activity& activity, double rate);

  std::vector<Resource> resources_;
  std::vector<Activity> activities_;
  std::vector<Taken> shares_;        // of each activity in turn
  std::vector<std::uint32_t> open_;  // activities that are not frozen
};

}  // namespace lockstep::sim
