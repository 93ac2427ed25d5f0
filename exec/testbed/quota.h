// SPDX-License-Identifier: Apache-2.0
// Each host's share of this machine's processors: a control group with a quota.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "exec/launch/control_groups.h"
#include "models/base/ids.h"

namespace lockstep::exec {

/// Of a processor. The kernel hands out no less than 1 ms of time in at most 100 ms.
inline constexpr double kSmallestQuota = 0.01;

/// So much processor time in each period.
struct Quota {
  std::int64_t microseconds = 0;
  std::int64_t period_microseconds = 0;
};
/// The period is as short as the kernel allows, but at least 5 ms: in a long one work comes in
/// bursts. `cores`: at least kSmallestQuota.
Quota quota_of(double cores);

/// The control groups of this system. Throws ConfigError when it has none.
ControlGroups control_groups_for_hosts();

/// The folder of a run's control groups. It is removed, with the processes that are still in them,
/// by a process of its own once this one has ended, however it ended.
class SweptFolder {
 public:
  /// Throws ConfigError.
  explicit SweptFolder(const ControlGroups& groups);
  /// Waits until it is removed.
  ~SweptFolder();
  SweptFolder(const SweptFolder&) = delete;
  SweptFolder& operator=(const SweptFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int lock_ = -1;      // held as long as the run lives
  int lifeline_ = -1;  // its end is the sweeping process's signal
  pid_t sweeper_ = -1;
};

/// A control group for each host of a run.
class HostQuotas {
 public:
  /// `cores` of each host. Throws ConfigError where that can't be.
  explicit HostQuotas(const std::vector<double>& cores);

  /// Moves the calling process to the host's. Returns whether that worked.
  bool enter(HostId host) const;

 private:
  std::string group_of(std::size_t host) const;

  ControlGroups groups_;
  SweptFolder folder_;
};

/// Removes what dead runs have left, with the processes in it. Returns the folders.
std::vector<std::string> remove_leftovers(const ControlGroups& groups);
/// How many runs are alive, this process's included.
int living_runs(const ControlGroups& groups);

}  // namespace lockstep::exec
