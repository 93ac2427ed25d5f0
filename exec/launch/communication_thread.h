// SPDX-License-Identifier: Apache-2.0
// The thread on which everything that has to do with the network happens.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace lockstep::exec {

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
  void start();
  /// What is queued is dropped, after the handler that runs.
  void stop();
  bool started() const { return thread_.joinable(); }
  /// Runs the function on the thread, later.
  void post(std::function<void()> function);
  /// The same, and waits for it; what it throws is thrown here.
  void call(const std::function<void()>& function);
  void set_polling(bool polling) { polling_ = polling; }

 private:
  void run();
  void poll();

  std::function<void(const std::exception&)> on_error_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::atomic<bool> polling_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace lockstep::exec
