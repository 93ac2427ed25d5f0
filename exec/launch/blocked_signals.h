// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include <chrono>

namespace lockstep::exec {

/// The signals that end a launcher's wait for its children are taken one by one, in its loop, and
/// handled nowhere else: SIGINT, SIGTERM and SIGCHLD are blocked in the calling thread meanwhile.
class BlockedSignals {
 public:
  BlockedSignals() {
    ::sigemptyset(&waited_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD})
      ::sigaddset(&waited_, signal);
    ::sigprocmask(SIG_BLOCK, &waited_, &before_);
  }
  ~BlockedSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  const sigset_t& before() const { return before_; }
  /// The next signal, or 0 when none came in time.
  int wait(std::chrono::nanoseconds span) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
    const timespec time{seconds.count(), (span - seconds).count()};
    const int signal = ::sigtimedwait(&waited_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t waited_;
  sigset_t before_;
};

}  // namespace lockstep::exec
