// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/written_steps.h"

#include <algorithm>

#include "models/base/errors.h"

namespace lockstep::schedule {

WrittenSteps::WrittenSteps(std::vector<WrittenProgram> programs) : programs_(std::move(programs)) {
  LOCKSTEP_CHECK(!programs_.empty(), "a fragment needs a program");
  for (const WrittenProgram& program : programs_)
    LOCKSTEP_CHECK(
        program.steps.size() == std::size_t{program.shape.rounds} * program.shape.steps_per_round,
        "a program of " + std::to_string(program.shape.rounds) + " rounds of " +
            std::to_string(program.shape.steps_per_round) + " steps holds " +
            std::to_string(program.steps.size()));
}

const WrittenProgram& WrittenSteps::of(Rank rank) const {
  return programs_.size() == 1 ? programs_.front() : programs_.at(static_cast<std::size_t>(rank));
}

void WrittenSteps::emit(Rank rank, std::uint32_t round, std::span<Step> slots) const {
  const WrittenProgram& program = of(rank);
  const std::size_t width = program.shape.steps_per_round;
  std::copy_n(program.steps.begin() + static_cast<std::ptrdiff_t>(round * width), width,
              slots.begin());
}

std::vector<WrittenProgram> write_out(const Fragment& fragment, std::int32_t ranks) {
  std::vector<WrittenProgram> programs;
  for (Rank rank = 0; rank < ranks; ++rank)
    programs.push_back({fragment.steps->shape(rank), steps_of(fragment, rank)});
  return programs;
}

}  // namespace lockstep::schedule
