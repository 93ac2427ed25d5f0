// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/team.h"

#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {
namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Returns when `value` is no longer `old`: a short spin, then the kernel's futex.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr int kSpins = 500;  // 5 to 20 microseconds
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(int threads) {
  LOCKSTEP_CHECK(threads >= 1, std::to_string(threads));
  for (int part = 1; part < threads; ++part)
    threads_.emplace_back([this, part] { work(static_cast<std::size_t>(part)); });
}

Team::~Team() {
  call_ = nullptr;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
}

void Team::start(Call call, const void* object) {
  if (threads_.empty()) return call(object, 0);
  call_ = call;
  object_ = object;
  working_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  call(object, 0);
  while (const std::uint32_t left = working_.load(std::memory_order_acquire))
    await_change(working_, left);
}

void Team::work(std::size_t part) {
  for (std::uint32_t round = 0;; ++round) {
    await_change(round_, round);
    if (call_ == nullptr) return;
    call_(object_, part);
    if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) working_.notify_one();
  }
}

}  // namespace lockstep::exec
