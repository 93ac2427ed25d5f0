// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "exec/testbed/failure.h"
#include "models/base/errors.h"

namespace lockstep::exec {

Namespace Namespace::current() {
  const int descriptor = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_cannot("use network namespaces");
  return Namespace(descriptor);
}

Namespace Namespace::make(const Namespace& home) {
  if (::unshare(CLONE_NEWNET) != 0) throw_cannot("make a network namespace");
  Namespace made = current();
  LOCKSTEP_CHECK(home.enter(), std::strerror(errno));
  return made;
}

Namespace::~Namespace() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Namespace::Namespace(Namespace&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

bool Namespace::enter() const {
  return ::setns(descriptor_, CLONE_NEWNET) == 0;
}

std::string Namespace::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor_);
}

Visit::Visit(const Namespace& there, const Namespace& home) : home_(home) {
  LOCKSTEP_CHECK(there.enter(), std::strerror(errno));
}

Visit::~Visit() {
  LOCKSTEP_CHECK(home_.enter(), std::strerror(errno));
}

namespace {

/// A file without a name that a child reads from, or writes to.
class Scratch {
 public:
  explicit Scratch(const std::string& text) : descriptor_(::memfd_create("batch", MFD_CLOEXEC)) {
    if (descriptor_ < 0 ||
        ::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw_cannot("cannot hand over a batch");
    ::lseek(descriptor_, 0, SEEK_SET);
  }
  ~Scratch() { ::close(descriptor_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  int descriptor() const { return descriptor_; }
  std::string text() const {
    std::string text(static_cast<std::size_t>(::lseek(descriptor_, 0, SEEK_END)), '\0');
    const ssize_t count = ::pread(descriptor_, text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    return text;
  }

 private:
  int descriptor_;
};

/// The first thing that it said, with the line of the batch that it said it about.
std::string failure_of(const std::string& said, const std::string& batch) {
  const std::string reason = said.substr(0, said.find('\n'));
  const std::string marker = "Command failed -:";
  const std::size_t place = said.find(marker);
  if (place == std::string::npos) return reason;
  std::istringstream lines(batch);
  std::string line;
  for (int number = std::atoi(said.c_str() + place + marker.size()); number > 0; --number)
    std::getline(lines, line);
  return reason + " (" + line + ")";
}

}  // namespace

void run_batch(const std::string& program, const Namespace& there, const std::string& lines) {
  const Scratch input(lines);
  const Scratch output("");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_cannot("cannot start a program");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || !there.enter()) ::_exit(126);
    ::dup2(input.descriptor(), STDIN_FILENO);
    ::dup2(output.descriptor(), STDOUT_FILENO);
    ::dup2(output.descriptor(), STDERR_FILENO);
    ::execlp(program.c_str(), program.c_str(), "-batch", "-", nullptr);
    // Where it lies for root only.
    ::execl(("/usr/sbin/" + program).c_str(), program.c_str(), "-batch", "-", nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    throw ConfigError("testbed",
                      "the program \"" + program + "\" is missing; it is in the package iproute2");
  throw ConfigError("testbed", program + ": " + failure_of(output.text(), lines));
}

}  // namespace lockstep::exec
