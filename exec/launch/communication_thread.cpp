// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/communication_thread.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include <boost/asio/post.hpp>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using std::chrono::steady_clock;

constexpr auto kLongestPoll = std::chrono::milliseconds(10);

/// This thread runs often and for a short time, beside computing threads that never sleep. Asking
/// the scheduler for short turns (Linux from 6.12 on: EEVDF, Stoica and Abdel-Wahab 1995) lets it
/// run soon after it wakes, rather than when a computing thread's turn of some milliseconds is
/// over. It gets no more of the processor than before. Older kernels ignore it.
void ask_for_short_turns() {
  struct Attributes {  // sched_setattr(2); glibc declares it from 2.41 on
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 100'000;
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
  } attributes;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

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
  ask_for_short_turns();
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

/// The io_context is looked at when somebody has posted to it, and now and then for its sockets and
/// timers: that takes a system call.
void CommunicationThread::poll() {
  constexpr int kTurnsBetweenLooks = 64;
  auto last = steady_clock::now();
  turn_began_ = last;
  for (int turn = 0; polling_.load(std::memory_order_relaxed) && !stopping_; ++turn) {
    bool moved = polled_.poll && polled_.poll();
    if (posted_.exchange(false, std::memory_order_acquire) || turn % kTurnsBetweenLooks == 0)
      moved |= context_.poll() > 0;
    if (moved) {
      last = steady_clock::now();
      working_ns_ += (last - *turn_began_) / std::chrono::nanoseconds(1);
      turn_began_ = last;
      continue;
    }
    ::sched_yield();
    turn_began_ = steady_clock::now();
    if (*turn_began_ - last < kLongestPoll) continue;
    rest();
    context_.run_one();
    turn_began_ = last = steady_clock::now();
  }
  turn_began_.reset();
  rest();
}

std::int64_t CommunicationThread::working_ns() const {
  if (!turn_began_) return working_ns_;
  return working_ns_ + (steady_clock::now() - *turn_began_) / std::chrono::nanoseconds(1);
}

void CommunicationThread::rest() {
  if (polled_.rest) polled_.rest();
}

void CommunicationThread::set_polling(bool polling) {
  if (polling_.exchange(polling) || !polling) return;
  post([] {});  // it may sleep
}

void CommunicationThread::post(std::function<void()> function) {
  boost::asio::post(context_, std::move(function));
  posted_.store(true, std::memory_order_release);
}

void CommunicationThread::call(const std::function<void()>& function) {
  LOCKSTEP_CHECK(std::this_thread::get_id() != thread_.get_id(),
                 "the communication thread waits for itself");
  std::promise<void> promise;
  post([&] {
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
