// SPDX-License-Identifier: Apache-2.0
// The same work on many things, on several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lockstep::exec {

/// Calls work(worker, index) once for each index in [0, count); `make_worker()` makes each thread's
/// own worker. Indices are handed out in order. What a call throws ends all and is thrown again.
template <typename MakeWorker, typename Work>
void parallel(std::size_t count, std::size_t threads, const MakeWorker& make_worker,
              const Work& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  const auto run = [&] {
    try {
      auto worker = make_worker();
      for (std::size_t index = next++; index < count; index = next++)
        work(worker, index);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  std::vector<std::jthread> team;
  for (std::size_t thread = 1; thread < threads; ++thread)
    team.emplace_back(run);
  run();
  team.clear();
  if (error) std::rethrow_exception(error);
}

}  // namespace lockstep::exec
