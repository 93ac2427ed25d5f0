// SPDX-License-Identifier: Apache-2.0
// The kernel's control groups, as far as they hand out processor time (cgroups(7)).
#pragma once

#include <optional>
#include <string>

namespace lockstep::exec {

/// Where control groups can have a quota of processor time.
struct ControlGroups {
  int version = 0;   // of the kernel's interface: 1 or 2
  std::string root;  // where its file system is mounted
};
/// Nothing when this system has none.
std::optional<ControlGroups> find_control_groups();

/// Whether this process is in a group that has a quota, or in one within such a group: then the
/// time that it waits for something by looking again and again is lost for its work.
bool has_processor_quota();

}  // namespace lockstep::exec
