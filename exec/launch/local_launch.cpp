// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/local_launch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "exec/launch/blocked_signals.h"
#include "exec/transport/clock.h"
#include "exec/transport/secret.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using std::chrono::steady_clock;

/// Statuses of a child that has not become the program.
constexpr int kNotEntered = 126, kNotStarted = 127;

[[noreturn]] void throw_system_error(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Closed when it goes out of scope; not inherited unless a child says so.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

int make_listener(std::int32_t ranks) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, std::max(ranks, 128)) != 0)
    throw_system_error("cannot listen on 127.0.0.1");
  return listener;
}

std::string where_listens(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  char text[INET_ADDRSTRLEN];
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return text + (":" + std::to_string(ntohs(address.sin_port)));
}

int make_secret_file() {
  const Secret secret = random_secret();
  const int file = ::memfd_create("secret", MFD_CLOEXEC);
  if (file < 0 || ::write(file, secret.bytes.data(), secret.bytes.size()) !=
                      static_cast<ssize_t>(secret.bytes.size()))
    throw_system_error("cannot hand the secret on");
  return file;
}

class Launcher {
 public:
  explicit Launcher(const LocalLaunch& launch)
      : launch_(launch),
        grace_(std::chrono::nanoseconds(
            static_cast<std::int64_t>((launch.timeout_seconds + 1) * 1e9))) {}

  int run();

 private:
  struct Child {
    pid_t pid = -1;
    bool running = false;
    bool frozen = false;  // stopped by a signal
  };

  void start_all();
  pid_t start(Rank rank, std::vector<std::string> arguments, const std::vector<int>& inherited);
  void reap();
  void note(std::size_t rank, int status);
  void send_to_running(int signal);
  void begin_grace();
  void kill_the_rest();
  bool any_running() const {
    return std::any_of(children_.begin(), children_.end(),
                       [](const Child& c) { return c.running; });
  }
  bool all_running_are_frozen() const {
    return std::all_of(children_.begin(), children_.end(),
                       [](const Child& c) { return !c.running || c.frozen; });
  }

  const LocalLaunch& launch_;
  std::chrono::nanoseconds grace_;
  BlockedSignals signals_;
  std::vector<Child> children_;
  bool ending_ = false;  // one has failed, or we were told to stop
  bool killed_ = false;
  steady_clock::time_point end_;
  bool bad_input_ = false;
  bool lost_ = false;
  int other_status_ = 0;
  int signal_ = 0;
};

int Launcher::run() {
  start_all();
  while (any_running()) {
    const auto left = ending_ && !killed_ ? std::chrono::nanoseconds(end_ - steady_clock::now())
                                          : std::chrono::nanoseconds(std::chrono::hours(1));
    const bool hopeless = ending_ && !killed_ && all_running_are_frozen();
    if (left <= std::chrono::nanoseconds::zero() || hopeless) {
      kill_the_rest();
      continue;
    }
    const int signal = signals_.wait(left);
    if (signal == SIGINT || signal == SIGTERM) {
      signal_ = signal;
      send_to_running(signal);
      begin_grace();
    }
    reap();
  }
  if (signal_ != 0) return 128 + signal_;
  if (bad_input_) return 2;
  return lost_ ? 3 : other_status_;
}

void Launcher::start_all() {
  const Descriptor listener(launch_.listener < 0 ? make_listener(launch_.ranks) : launch_.listener);
  const Descriptor secret(make_secret_file());
  const std::string rendezvous = where_listens(listener.number());
  for (Rank rank = 0; rank < launch_.ranks; ++rank) {
    std::vector<std::string> arguments{launch_.program};
    arguments.insert(arguments.end(), launch_.arguments.begin(), launch_.arguments.end());
    for (const std::string& argument :
         {std::string("--rank"), std::to_string(rank), std::string("--ranks"),
          std::to_string(launch_.ranks), std::string("--rendezvous"), rendezvous,
          std::string("--secret-fd"), std::to_string(secret.number())})
      arguments.push_back(argument);
    std::vector<int> inherited{secret.number()};
    if (rank == 0) {
      arguments.insert(arguments.end(), {"--rendezvous-fd", std::to_string(listener.number())});
      inherited.push_back(listener.number());
    }
    children_.push_back({start(rank, std::move(arguments), inherited), true});
  }
}

/// Between fork and exec a process of several threads could do little; this one has one.
pid_t Launcher::start(Rank rank, std::vector<std::string> arguments,
                      const std::vector<int>& inherited) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    send_to_running(SIGKILL);
    throw_system_error("cannot start a rank");
  }
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(3);  // the launcher died before the line above
  for (const int descriptor : inherited)
    ::fcntl(descriptor, F_SETFD, 0);
  ::sigprocmask(SIG_SETMASK, &signals_.before(), nullptr);
  if (launch_.enter && !launch_.enter(rank)) ::_exit(kNotEntered);
  ::execv(launch_.program.c_str(), pointers.data());
  ::_exit(kNotStarted);
}

void Launcher::reap() {
  for (std::size_t rank = 0; rank < children_.size(); ++rank) {
    Child& child = children_[rank];
    int status = 0;
    while (child.running && ::waitpid(child.pid, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
      child.frozen = WIFSTOPPED(status);
      child.running = WIFSTOPPED(status) || WIFCONTINUED(status);
      if (!child.running) note(rank, status);
    }
  }
}

void Launcher::note(std::size_t rank, int status) {
  const std::string who =
      "rank " + std::to_string(rank) + " (pid " + std::to_string(children_[rank].pid) + ")";
  if (WIFSIGNALED(status)) {
    if (signal_ == 0 && !killed_)
      std::fprintf(stderr, "lockstep: %s was killed by signal %d (%s)\n", who.c_str(),
                   WTERMSIG(status), ::strsignal(WTERMSIG(status)));
    lost_ = true;
    begin_grace();
    return;
  }
  const int code = WEXITSTATUS(status);
  if (code == 0) return;
  if (code == kNotStarted) std::fprintf(stderr, "lockstep: %s could not be started\n", who.c_str());
  if (code == kNotEntered)
    std::fprintf(stderr, "lockstep: %s could not be moved to its host\n", who.c_str());
  if (code == 2)
    bad_input_ = true;
  else if (code == 3)
    lost_ = true;
  else if (other_status_ == 0)
    other_status_ = code;
  begin_grace();
}

void Launcher::begin_grace() {
  if (ending_) return;
  ending_ = true;
  end_ = steady_clock::now() + grace_;
}

void Launcher::kill_the_rest() {
  killed_ = true;
  for (std::size_t rank = 0; rank < children_.size(); ++rank) {
    const Child& child = children_[rank];
    if (!child.running) continue;
    const std::string why =
        child.frozen ? "is frozen" : "did not end within " + describe_seconds(grace_);
    std::fprintf(stderr, "lockstep: rank %zu (pid %d) %s; killed\n", rank,
                 static_cast<int>(child.pid), why.c_str());
  }
  send_to_running(SIGKILL);
}

void Launcher::send_to_running(int signal) {
  for (const Child& child : children_)
    if (child.running) ::kill(child.pid, signal);
}

}  // namespace

int launch_local_ranks(const LocalLaunch& launch) {
  LOCKSTEP_CHECK(launch.ranks > 0, std::to_string(launch.ranks) + " ranks to launch");
  return Launcher(launch).run();
}

}  // namespace lockstep::exec
