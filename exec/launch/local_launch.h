// SPDX-License-Identifier: Apache-2.0
// Starts the ranks of a job on this host and sees them through: none outlives the others' failure,
// nor the launcher.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/base/ids.h"

namespace lockstep::exec {

struct LocalLaunch {
  std::int32_t ranks = 1;
  std::string program = "/proc/self/exe";
  /// Every rank's, after the program's name. What follows them is
  ///   --rank R --ranks N --rendezvous ADDRESS:PORT --secret-fd F [--rendezvous-fd F]
  /// where the descriptors are open in the child: the first holds the job's secret (read_secret),
  /// the second, rank 0's only, listens at the rendezvous.
  std::vector<std::string> arguments = {};
  /// A socket that listens where rank 0 is, closed when the ranks are started; −1: on 127.0.0.1.
  int listener = -1;
  /// Called in a rank's process before it becomes the program, to take it elsewhere; returns
  /// whether that worked.
  std::function<bool(Rank)> enter = {};
  /// When a rank has failed the others have this and a second more to end by themselves.
  double timeout_seconds = 5;
};

/// Waits for all of them. Returns 0 when all were fine; 2 when one said so (bad input); 3 when one
/// was lost or said so; else the first other status. After Ctrl-C or TERM, which are handed on,
/// 128 + the signal. What happened to a rank goes to stderr. Uses no thread; SIGINT, SIGTERM and
/// SIGCHLD are blocked in the calling thread meanwhile.
int launch_local_ranks(const LocalLaunch& launch);

}  // namespace lockstep::exec
