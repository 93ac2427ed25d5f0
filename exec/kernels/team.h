// SPDX-License-Identifier: Apache-2.0
// A fixed team of threads that works on one thing at a time: the compute lane of a rank.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace lockstep::exec {

/// `threads` threads: the one that calls run(), and threads − 1 that live as long as the team (so
/// with one thread none is made). Between runs they spin for some microseconds, then sleep: the
/// rows of an iteration follow each other closely, but waiting for the network may take long.
class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  /// Calls task(0) … task(size() − 1), each on its own thread, and returns when all have returned.
  /// What the tasks wrote is visible after it. The task must not throw, nor call run().
  template <typename Task>
  void run(const Task& task) {
    start([](const void* object, std::size_t part) { (*static_cast<const Task*>(object))(part); },
          &task);
  }

 private:
  using Call = void (*)(const void* object, std::size_t part);

  void start(Call call, const void* object);
  void work(std::size_t part);

  Call call_ = nullptr;  // null: end
  const void* object_ = nullptr;
  std::atomic<std::uint32_t> round_ = 0;    // counts runs; the threads wait for its change
  std::atomic<std::uint32_t> working_ = 0;  // threads that have not finished this run
  std::vector<std::thread> threads_;
};

}  // namespace lockstep::exec
