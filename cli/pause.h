// SPDX-License-Identifier: Apache-2.0
// What the ranks of a training do between two iterations, off the clock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/job_options.h"
#include "exec/data/dataset.h"
#include "exec/launch/session.h"
#include "exec/training/replica.h"

namespace lockstep::cli {

/// Its functions are called by all ranks, each when `iterations` of the training are done. The
/// constructor's arguments must outlive it; `job` is the whole training's, `resolved` that of the
/// iterations at hand.
class Pause {
 public:
  Pause(exec::Session& session, const training::Job& job, const ResolvedJob& resolved,
        const exec::Dataset& data, exec::Replica& replica);

  /// The model: where the ranks' parameters differ (local SGD), their average.
  std::span<const float> model(std::int32_t iterations);
  /// Classifies this rank's share of the test images.
  exec::Classified test(std::int32_t iterations);
  /// Rank 0 writes a checkpoint.
  void save(const std::string& path, std::int32_t iterations);

  /// Payload that averages for these purposes have sent to each rank; empty if there were none.
  const std::vector<std::uint64_t>& bytes_sent() const { return bytes_sent_; }

 private:
  std::vector<std::vector<float>> gather_own_memories(std::int32_t iterations);

  exec::Session& session_;
  const training::Job& job_;
  const ResolvedJob& resolved_;
  const exec::Dataset& data_;
  exec::Replica& replica_;
  std::vector<std::uint64_t> bytes_sent_;
};

}  // namespace lockstep::cli
