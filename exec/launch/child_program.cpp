// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/child_program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "exec/launch/blocked_signals.h"

namespace lockstep::exec {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kGrace(20);

/// Between fork and exec a process of several threads could do little; this one has one.
pid_t start(const ChildProgram& child, const sigset_t& signals) {
  std::vector<std::string> words{child.program};
  words.insert(words.end(), child.arguments.begin(), child.arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int log = ::open(child.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) throw std::system_error(errno, std::generic_category(), child.log);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  const int reason = errno;
  if (pid != 0) {
    ::close(log);
    if (pid < 0) throw std::system_error(reason, std::generic_category(), "cannot start a program");
    return pid;
  }
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);  // it died before the line above
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  ::execv(child.program.c_str(), pointers.data());
  ::_exit(127);
}

}  // namespace

ChildEnd run_child(const ChildProgram& child) {
  const BlockedSignals signals;
  ChildEnd end;
  const pid_t pid = start(child, signals.before());
  const auto span = [](double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  };
  auto limit = steady_clock::now() + span(child.limit_seconds);
  bool told = false;
  const auto tell = [&](int signal) {
    ::kill(pid, told ? SIGKILL : signal);
    limit = steady_clock::now() + kGrace;
    told = true;
  };
  for (int status = 0;;) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return end;
    }
    const auto left = limit - steady_clock::now();
    if (left <= steady_clock::duration::zero()) {
      end.timed_out = end.interrupted_by == 0;
      tell(SIGTERM);
      continue;
    }
    const int signal = signals.wait(left);
    if (signal != SIGINT && signal != SIGTERM) continue;
    end.interrupted_by = signal;
    if (!told) tell(signal);
  }
}

}  // namespace lockstep::exec
