// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/local_launch.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include <catch2/catch.hpp>

namespace lockstep::exec {
namespace {

/// What is written to stderr while it lives, by this process and its children.
class CapturedErrors {
 public:
  CapturedErrors() : file_(std::tmpfile()), before_(::dup(STDERR_FILENO)) {
    std::fflush(stderr);
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~CapturedErrors() { end(); }
  CapturedErrors(const CapturedErrors&) = delete;
  CapturedErrors& operator=(const CapturedErrors&) = delete;

  std::string end() {
    if (file_ == nullptr) return text_;
    std::fflush(stderr);
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_))
      text_.push_back(static_cast<char>(c));
    std::fclose(file_);
    file_ = nullptr;
    return text_;
  }

 private:
  std::FILE* file_;
  int before_;
  std::string text_;
};

/// Ranks that are shell scripts: $2 is the rank's number, $4 how many there are.
int launch_scripts(const std::string& script, std::int32_t ranks, double timeout_seconds = 5) {
  return launch_local_ranks({.ranks = ranks,
                             .program = "/bin/sh",
                             .arguments = {"-c", script, "rank"},
                             .timeout_seconds = timeout_seconds});
}

TEST_CASE("launch: the status is that of the worst rank", "[exec][launch]") {
  const CapturedErrors quiet;
  CHECK(launch_scripts("exit 0", 3) == 0);
  CHECK(launch_scripts("exit $2", 2) == 1);           // rank 1 says 1
  CHECK(launch_scripts("exit $2", 3) == 2);           // rank 2 says 2: bad input
  CHECK(launch_scripts("exit $((2 + $2))", 2) == 2);  // 2 and 3: the input is to blame
  CHECK(launch_scripts("exit $((3 * $2))", 2) == 3);  // a peer was lost
}

TEST_CASE("launch: ranks are told who they are, the secret and the socket", "[exec][launch]") {
  const std::string script =
      "test $1 = --rank && test $3 = --ranks && test $4 = 2 && test $5 = --rendezvous || exit 1;"
      "test ${6%:*} = 127.0.0.1 && test ${6#*:} -gt 0 && test $7 = --secret-fd || exit 4;"
      "test $(wc -c < /proc/self/fd/$8) = 32 || exit 5;"
      "if test $2 = 0; then test $9 = --rendezvous-fd || exit 6; else test $# = 8 || exit 7; fi";
  CHECK(launch_scripts(script, 2) == 0);
}

TEST_CASE("launch: a rank that is killed is reported, and the others are ended", "[exec][launch]") {
  CapturedErrors errors;
  // Rank 0 would wait for ever.
  const int status =
      launch_scripts("if test $2 = 1; then kill -9 $$; else exec sleep 1000; fi", 2, 0.1);
  const std::string text = errors.end();
  CHECK(status == 3);
  CHECK_THAT(text, Catch::Contains("rank 1 (pid ") &&
                       Catch::Contains("was killed by signal 9 (Killed)") &&
                       Catch::Contains("did not end within 1.1 s; killed"));
}

TEST_CASE("launch: a program that isn't there is an error", "[exec][launch]") {
  CapturedErrors errors;
  const int status = launch_local_ranks({.ranks = 1, .program = "/no/such/program"});
  const std::string text = errors.end();
  CHECK(status == 127);
  CHECK_THAT(text, Catch::Contains("could not be started"));
}

TEST_CASE("launch: TERM is handed on, and is the status", "[exec][launch]") {
  const CapturedErrors quiet;
  // The ranks would wait for ever; one of them asks the launcher, its parent, to stop.
  CHECK(launch_scripts("if test $2 = 1; then kill -TERM $PPID; fi; exec sleep 1000", 2) ==
        128 + SIGTERM);
}

struct Job {
  int status;
  std::string errors;
};

/// Three real ranks; the last one misbehaves in iteration 3.
Job run_job(const std::string& mode, double timeout_seconds) {
  CapturedErrors errors;
  const int status =
      launch_local_ranks({.ranks = 3,
                          .program = LOCKSTEP_RANK_PROGRAM,
                          .arguments = {mode, "20", "1000", "0", std::to_string(timeout_seconds)},
                          .timeout_seconds = timeout_seconds});
  return {status, errors.end()};
}

TEST_CASE("job: three processes sum, prove it, and end well", "[exec][launch][net]") {
  const Job job = run_job("sum", 20);
  CAPTURE(job.errors);
  CHECK(job.status == 0);
  CHECK(job.errors.empty());
}

TEST_CASE("job: a killed rank ends the others, who say which and where", "[exec][launch][net]") {
  const Job job = run_job("kill", 20);
  CAPTURE(job.errors);
  CHECK(job.status == 3);
  for (const std::string survivor : {"rank 0: lost rank 2 (host ", "rank 1: lost rank 2 (host "})
    CHECK_THAT(job.errors, Catch::Contains(survivor));
  // The survivors may not have begun iteration 3 yet when rank 2 dies in it.
  CHECK_THAT(job.errors, Catch::Contains("connection closed; iteration 3") ||
                             Catch::Contains("connection closed; iteration 2"));
  CHECK_THAT(job.errors, !Catch::Contains("did not end within"));
}

TEST_CASE("job: a frozen rank ends the others, who say which and where", "[exec][launch][net]") {
  const Job job = run_job("stop", 2);
  CAPTURE(job.errors);
  CHECK(job.status == 3);
  for (const std::string survivor : {"rank 0: lost rank 2 (host ", "rank 1: lost rank 2 (host "})
    CHECK_THAT(job.errors, Catch::Contains(survivor));
  CHECK_THAT(job.errors, Catch::Contains("no heartbeat for 2 s; iteration 3"));
  CHECK_THAT(job.errors, Catch::Contains("is frozen; killed"));
}

TEST_CASE("job: a rank that throws says why, and so do the others", "[exec][launch][net]") {
  const Job job = run_job("throw", 20);
  CAPTURE(job.errors);
  CHECK(job.status == 3);
  CHECK_THAT(job.errors, Catch::Contains("rank 2: the last rank has had enough") &&
                             Catch::Contains("failed: the last rank has had enough; iteration 3"));
  CHECK(run_job("bad-input", 20).status == 2);
}

TEST_CASE("job: a rank that computes for longer than the timeout is not lost",
          "[exec][launch][net]") {
  const Job job = run_job("slow", 2);
  CAPTURE(job.errors);
  CHECK(job.status == 0);
  CHECK(job.errors.empty());
}

}  // namespace
}  // namespace lockstep::exec
