// SPDX-License-Identifier: Apache-2.0
// Runs a program and sees it through: it does not outlive this one.
#pragma once

#include <string>
#include <vector>

namespace lockstep::exec {

struct ChildProgram {
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments = {};  // after the program's name
  std::string log;                          // file that gets all it says
  double limit_seconds = 60;                // then it is told to end, and 20 s later killed
};

struct ChildEnd {
  int status = 0;          // its exit status; 128 + the signal that ended it
  bool timed_out = false;  // it was told to end
  int interrupted_by = 0;  // Ctrl-C or TERM came meanwhile, and was handed on; 0 = none
};

/// Waits for its end. SIGINT, SIGTERM and SIGCHLD are blocked in the calling thread meanwhile, and
/// the program is in a process group of its own, so that Ctrl-C reaches it through here alone.
/// Throws std::system_error when it cannot be started.
ChildEnd run_child(const ChildProgram& child);

}  // namespace lockstep::exec
