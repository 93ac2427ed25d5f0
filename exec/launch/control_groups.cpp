// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/control_groups.h"

#include <fstream>
#include <sstream>

namespace lockstep::exec {

namespace {

bool has_word(const std::string& text, const std::string& word, char separator) {
  std::istringstream words(text);
  for (std::string each; std::getline(words, each, separator);)
    if (each == word) return true;
  return false;
}

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

/// A line of mountinfo: the fifth field is the place; then, after optional fields, " - ", type,
/// source, options (proc(5)).
std::optional<ControlGroups> find_control_groups() {
  std::ifstream mounts("/proc/self/mountinfo");
  std::optional<ControlGroups> found;
  for (std::string line; std::getline(mounts, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line), right(line.substr(dash + 3));
    std::string skipped, root, type, options;
    left >> skipped >> skipped >> skipped >> skipped >> root;
    right >> type >> skipped >> options;
    if (type == "cgroup" && has_word(options, "cpu", ',')) return ControlGroups{1, root};
    if (type == "cgroup2" && has_word(first_line_of(root + "/cgroup.controllers"), "cpu", ' '))
      found = ControlGroups{2, root};
  }
  return found;
}

namespace {

/// The path of this process's group below the root: "3:cpu,cpuacct:/a/b", version 2 "0::/a/b".
std::string own_group(int version) {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version == 1 ? has_word(controllers, "cpu", ',') : controllers.empty())
      return line.substr(second + 1);
  }
  return "/";
}

bool sets_quota(const ControlGroups& groups, const std::string& group) {
  const std::string quota =
      first_line_of(group + (groups.version == 1 ? "/cpu.cfs_quota_us" : "/cpu.max"));
  return !quota.empty() && quota != "-1" && !quota.starts_with("max");
}

}  // namespace

bool has_processor_quota() {
  const std::optional<ControlGroups> groups = find_control_groups();
  if (!groups) return false;
  for (std::string group = own_group(groups->version);; group.resize(group.rfind('/'))) {
    if (sets_quota(*groups, groups->root + group)) return true;
    if (group.find('/') == std::string::npos) return false;
  }
}

}  // namespace lockstep::exec
