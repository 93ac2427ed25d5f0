// SPDX-License-Identifier: Apache-2.0
// A fragment written out in the rounds of the source it was taken from: what a file holds.
#pragma once

#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// One rank's part of a fragment, all rounds one after the other.
struct WrittenProgram {
  StepSource::Shape shape;
  std::vector<Step> steps;  // rounds × steps_per_round of them
};

/// Unlike a StepList it keeps the bound on the rounds in flight, which orders steps too.
class WrittenSteps final : public StepSource {
 public:
  /// One program, shared by all ranks, or one per rank. Each holds as many steps as its shape says.
  explicit WrittenSteps(std::vector<WrittenProgram> programs);
  Shape shape(Rank rank) const override { return of(rank).shape; }
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override;

 private:
  const WrittenProgram& of(Rank rank) const;
  std::vector<WrittenProgram> programs_;
};

/// The programs of `fragment` on ranks 0 … ranks−1.
std::vector<WrittenProgram> write_out(const Fragment& fragment, std::int32_t ranks);

}  // namespace lockstep::schedule
