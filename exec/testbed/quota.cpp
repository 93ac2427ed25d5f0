// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/quota.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "exec/testbed/failure.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "lockstep-testbed-";

/// Returns whether the kernel took it.
bool write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t written = ::write(file, text.data(), text.size());
  const int reason = errno;
  ::close(file);
  errno = reason;
  return written == static_cast<ssize_t>(text.size());
}

}  // namespace

Quota quota_of(double cores) {
  constexpr double kShortestPeriod = 5000;
  constexpr double kShortestTurn = 1000;
  LOCKSTEP_CHECK(cores >= kSmallestQuota, std::to_string(cores));
  const double period = std::max(kShortestPeriod, std::ceil(kShortestTurn / cores));
  return {std::lround(cores * period), std::lround(period)};
}

ControlGroups control_groups_for_hosts() {
  const std::optional<ControlGroups> groups = find_control_groups();
  if (!groups)
    throw ConfigError("testbed",
                      "this system has no control groups for processors, so hosts can "
                      "have no quota; --no-quota does without");
  return *groups;
}

namespace {

/// The folders of runs.
std::vector<std::string> runs_in(const ControlGroups& groups) {
  std::vector<std::string> runs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(groups.root, error))
    if (entry.path().filename().string().starts_with(kPrefix)) runs.push_back(entry.path());
  return runs;
}

/// Tries for ten seconds: a process that was killed takes its time to end. Returns whether nothing
/// is left.
bool sweep(const std::string& run) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run, error)) {
      if (!entry.is_directory(error)) continue;
      std::ifstream processes(entry.path() / "cgroup.procs");
      for (pid_t process = 0; processes >> process;)
        ::kill(process, SIGKILL);
      ::rmdir(entry.path().c_str());
    }
    if (::rmdir(run.c_str()) == 0 || errno == ENOENT) return true;
    ::usleep(10'000);
  }
  return false;
}

/// The sweeping process. It is in a session of its own, so that no Ctrl-C reaches it, and holds no
/// file of ours but the lock and the other end of the lifeline.
[[noreturn]] void wait_and_sweep(const std::string& run, int lifeline) {
  ::setsid();
  ::prctl(PR_SET_NAME, "lockstep-sweep");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    ::signal(signal, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(nothing, standard);
  char byte = 0;
  while (::read(lifeline, &byte, 1) < 0 && errno == EINTR) {
  }
  ::_exit(sweep(run) ? 0 : 1);
}

}  // namespace

SweptFolder::SweptFolder(const ControlGroups& groups)
    : path_(groups.root + "/" + kPrefix + "XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw_cannot("make a control group in " + groups.root);
  lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int ends[2];
  if (lock_ < 0 || ::flock(lock_, LOCK_EX | LOCK_NB) != 0 || ::pipe2(ends, O_CLOEXEC) != 0)
    throw_cannot("keep the control group " + path_);
  sweeper_ = ::fork();
  if (sweeper_ < 0) throw_cannot("start a process");
  if (sweeper_ == 0) {
    ::close(ends[1]);
    wait_and_sweep(path_, ends[0]);
  }
  ::close(ends[0]);
  lifeline_ = ends[1];
}

SweptFolder::~SweptFolder() {
  ::close(lifeline_);
  ::close(lock_);
  while (::waitpid(sweeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

HostQuotas::HostQuotas(const std::vector<double>& cores)
    : groups_(control_groups_for_hosts()), folder_(groups_) {
  const bool is_first_version = groups_.version == 1;
  if (!is_first_version)
    for (const std::string& above : {groups_.root, folder_.path()})
      if (!write_file(above + "/cgroup.subtree_control", "+cpu"))
        throw_cannot("hand out processors in " + above);
  for (std::size_t host = 0; host < cores.size(); ++host) {
    const std::string group = group_of(host);
    if (::mkdir(group.c_str(), 0755) != 0) throw_cannot("make the control group " + group);
    const Quota quota = quota_of(cores[host]);
    const std::string time = std::to_string(quota.microseconds);
    const std::string period = std::to_string(quota.period_microseconds);
    const bool taken = is_first_version ? write_file(group + "/cpu.cfs_period_us", period) &&
                                              write_file(group + "/cpu.cfs_quota_us", time)
                                        : write_file(group + "/cpu.max", time + " " + period);
    if (!taken) throw_cannot("set a quota in " + group);
  }
}

bool HostQuotas::enter(HostId host) const {
  return write_file(group_of(static_cast<std::size_t>(host)) + "/cgroup.procs", "0");
}

std::string HostQuotas::group_of(std::size_t host) const {
  return folder_.path() + "/host" + std::to_string(host);
}

namespace {

/// Whether nobody holds the run's lock.
bool is_dead(const std::string& run) {
  const int folder = ::open(run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const bool free = ::flock(folder, LOCK_EX | LOCK_NB) == 0;
  ::close(folder);
  return free;
}

}  // namespace

std::vector<std::string> remove_leftovers(const ControlGroups& groups) {
  std::vector<std::string> removed;
  for (const std::string& run : runs_in(groups)) {
    if (!is_dead(run)) continue;
    if (!sweep(run)) throw_cannot("remove " + run);
    removed.push_back(run);
  }
  return removed;
}

int living_runs(const ControlGroups& groups) {
  const std::vector<std::string> runs = runs_in(groups);
  return static_cast<int>(std::count_if(runs.begin(), runs.end(),
                                        [](const std::string& run) { return !is_dead(run); }));
}

}  // namespace lockstep::exec
