// SPDX-License-Identifier: Apache-2.0
// Decides whether a peer is lost, and whose fault it is. A pure state machine over what was seen
// when: no socket, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/base/ids.h"

namespace lockstep::exec {

struct Verdict {
  Rank peer = -1;     // whose fault it is, −1 if that can't be told
  std::string cause;  // "lost rank 2 (host a, pid 4711): no heartbeat for 5 s"
};

/// Rank 0 watches all others and its verdict holds for all. The others watch rank 0 only, and
/// judge by themselves when it is silent. Times are nanoseconds of one steady clock.
class Judge {
 public:
  /// `names[r]` is how people call rank r: "rank 2 (host a, pid 4711)".
  Judge(Rank self, std::vector<std::string> names, std::int64_t timeout_ns, std::int64_t now_ns);

  void heard(Rank from, std::int64_t now_ns);
  /// A watched peer's control connection ended.
  void ended(Rank peer, const std::string& cause);
  /// The peer has said that it is done: neither its silence nor its end matters any more.
  void left(Rank peer);
  /// The peer gives up and says why.
  void failed(Rank peer, const std::string& reason);
  /// A data connection between `by` and `peer` failed. Better evidence may be on its way (the
  /// peer's own word, the end of its control connection): it has half a second on rank 0, a second
  /// elsewhere, where rank 0's verdict is waited for.
  void suspected(Rank by, Rank peer, const std::string& cause, std::int64_t now_ns);
  /// Rank `from` holds parameters with this hash after `iteration`. They are compared once all
  /// ranks have spoken; the few that differ from most are at fault.
  void hashed(Rank from, std::int32_t iteration, std::uint64_t hash);
  /// This rank itself did not run for a while: that nothing was heard meanwhile means nothing.
  void slept(std::int64_t now_ns);

  /// The first that was found, if any; the same from then on.
  const std::optional<Verdict>& verdict(std::int64_t now_ns);
  /// When verdict() may first find something that it doesn't find now, if nothing happens.
  std::int64_t next_deadline_ns() const;

 private:
  struct Watched {
    bool watched = false;
    std::int64_t heard_ns = 0;
  };
  struct Suspicion {
    std::string text;
    Rank peer;
    std::int64_t decide_ns;
  };

  void decide(Rank peer, std::string cause);
  void compare(std::int32_t iteration, const std::vector<std::optional<std::uint64_t>>& hashes);

  Rank self_;
  std::vector<std::string> names_;
  std::int64_t timeout_ns_;
  std::vector<Watched> watched_;
  std::optional<Suspicion> suspicion_;
  std::map<std::int32_t, std::vector<std::optional<std::uint64_t>>> hashes_;  // by iteration
  std::optional<Verdict> verdict_;
};

}  // namespace lockstep::exec
