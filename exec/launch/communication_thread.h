// SPDX-License-Identifier: Apache-2.0
// The thread on which everything that has to do with the network happens.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace lockstep::exec {

/// What a polling thread looks at besides its io_context: see DataLink.
struct Polled {
  std::function<bool()> poll;  // moves what can be moved; whether anything did
  std::function<void()> rest;  // the thread will sleep: leave it to the io_context again
};

/// Runs an io_context. It sleeps until there is something to do; or, while polling, looks all the
/// time and yields the core when there is nothing. After 10 ms of nothing it sleeps all the same.
class CommunicationThread {
 public:
  /// `on_error` gets what escapes from a handler; on this thread.
  explicit CommunicationThread(std::function<void(const std::exception&)> on_error);
  ~CommunicationThread();
  CommunicationThread(const CommunicationThread&) = delete;
  CommunicationThread& operator=(const CommunicationThread&) = delete;

  boost::asio::io_context& context() { return context_; }
  /// Before start().
  void look_at(Polled polled) { polled_ = std::move(polled); }
  void start();
  /// What is queued is dropped, after the handler that runs.
  void stop();
  bool started() const { return thread_.joinable(); }
  /// Runs the function on the thread, later.
  void post(std::function<void()> function);
  /// The same, and waits for it; what it throws is thrown here.
  void call(const std::function<void()>& function);
  void set_polling(bool polling);
  /// On the thread: how long it has worked while polling, turns in vain not counted.
  std::int64_t working_ns() const;

 private:
  void run();
  void poll();
  void rest();

  std::function<void(const std::exception&)> on_error_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Polled polled_;
  std::atomic<bool> polling_{false};
  std::int64_t working_ns_ = 0;  // in turns that are over
  std::optional<std::chrono::steady_clock::time_point> turn_began_;
  std::atomic<bool> posted_{false};  // since the thread last looked at the io_context
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace lockstep::exec
