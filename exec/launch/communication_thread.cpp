// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/communication_thread.h"

#include <sched.h>

#include <chrono>
#include <future>

#include <boost/asio/post.hpp>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using std::chrono::steady_clock;

constexpr auto kLongestPoll = std::chrono::milliseconds(10);

}  // namespace

CommunicationThread::CommunicationThread(std::function<void(const std::exception&)> on_error)
    : on_error_(std::move(on_error)), work_(context_.get_executor()) {}

CommunicationThread::~CommunicationThread() {
  stop();
}

void CommunicationThread::start() {
  thread_ = std::thread([this] { run(); });
}

void CommunicationThread::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  boost::asio::post(context_, [] {});
  thread_.join();
}

void CommunicationThread::run() {
  while (!stopping_) {
    try {
      if (polling_.load(std::memory_order_relaxed))
        poll();
      else
        context_.run_one();
    } catch (const std::exception& error) {
      on_error_(error);
    }
  }
}

void CommunicationThread::poll() {
  auto last = steady_clock::now();
  while (polling_.load(std::memory_order_relaxed) && !stopping_) {
    if (context_.poll() == 0) {
      ::sched_yield();
      if (steady_clock::now() - last < kLongestPoll) continue;
      context_.run_one();
    }
    last = steady_clock::now();
  }
}

void CommunicationThread::post(std::function<void()> function) {
  boost::asio::post(context_, std::move(function));
}

void CommunicationThread::call(const std::function<void()>& function) {
  LOCKSTEP_CHECK(std::this_thread::get_id() != thread_.get_id(),
                 "the communication thread waits for itself");
  std::promise<void> promise;
  boost::asio::post(context_, [&] {
    try {
      function();
      promise.set_value();
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  promise.get_future().get();
}

}  // namespace lockstep::exec
