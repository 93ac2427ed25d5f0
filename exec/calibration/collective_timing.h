// SPDX-License-Identifier: Apache-2.0
// Times an all-reduce over the ranks of a session, through the executor that training uses.
#pragma once

#include <cstdint>
#include <span>

#include "exec/launch/session.h"
#include "exec/runner/executor.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// How many floats of memory a schedule's buffers take.
std::uint64_t floats_for(const schedule::Schedule& schedule);

/// All ranks make and use theirs alike. Several may share one piece of memory: one is used at a
/// time. Session, schedule and memory must outlive it.
class CollectiveTimer {
 public:
  /// `schedule` adds up buffer 0; `memory` is of the session's.
  CollectiveTimer(Session& session, const schedule::Schedule& schedule, std::span<float> memory);

  /// Adds up small whole numbers, other ones on every rank; returns how many elements this rank
  /// then holds a wrong sum of.
  std::uint64_t count_errors();
  /// After a barrier: seconds of one all-reduce of zeros, on average over some back to back.
  double seconds(std::int32_t back_to_back);

 private:
  /// The buffers of a schedule, one after the other in a piece of memory.
  class Arrays final : public Worker {
   public:
    Arrays(const schedule::Schedule& schedule, std::span<float> memory);
    void compute(std::int32_t, std::int32_t) override {}
    std::span<std::byte> buffer(std::uint32_t number) override {
      return std::as_writable_bytes(arrays_[number]);
    }

    std::span<float> first() { return arrays_.front(); }

   private:
    std::vector<std::span<float>> arrays_;
  };

  Session& session_;
  Arrays arrays_;
  Executor executor_;
};

}  // namespace lockstep::exec
