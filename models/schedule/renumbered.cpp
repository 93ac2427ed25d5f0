// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/renumbered.h"

#include <utility>

#include "models/base/errors.h"

namespace lockstep::schedule {

namespace {

class Renumbered final : public StepSource {
 public:
  Renumbered(std::shared_ptr<const StepSource> steps, std::vector<Rank> number)
      : steps_(std::move(steps)), number_(std::move(number)), original_(number_.size(), -1) {
    for (std::size_t rank = 0; rank < number_.size(); ++rank)
      original_.at(static_cast<std::size_t>(number_[rank])) = static_cast<Rank>(rank);
    for (const Rank rank : original_)
      LOCKSTEP_CHECK(rank >= 0, "ranks are renumbered by what is no permutation");
  }

  Shape shape(Rank rank) const override { return steps_->shape(original(rank)); }
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    steps_->emit(original(rank), round, slots);
    for (Step& step : slots)
      if (step.verb == Verb::Send || step.verb == Verb::Recv)
        step.target = number_[static_cast<std::size_t>(step.target)];
  }

 private:
  Rank original(Rank rank) const { return original_[static_cast<std::size_t>(rank)]; }

  std::shared_ptr<const StepSource> steps_;
  std::vector<Rank> number_;
  std::vector<Rank> original_;  // the inverse
};

}  // namespace

std::shared_ptr<const StepSource> renumber(std::shared_ptr<const StepSource> steps,
                                           std::vector<Rank> number) {
  return std::make_shared<Renumbered>(std::move(steps), std::move(number));
}

}  // namespace lockstep::schedule
