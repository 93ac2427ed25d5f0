// SPDX-License-Identifier: Apache-2.0
// The contract of Progress, written down once more as a slow model.
#pragma once

#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// Which steps of a rank may start, from the definitions in schedule.h and progress.h, looked up
/// anew for every question.
class Model {
 public:
  enum class State { Waiting, Started, Complete };
  struct Place {
    std::uint32_t fragment;
    StepIndex index;
    friend bool operator==(const Place&, const Place&) = default;
  };

  Model(const Schedule& schedule, Rank rank)
      : schedule_(schedule), rank_(rank), complete_(schedule.fragments.size()) {
    for (const Fragment& fragment : schedule.fragments) {
      shapes_.push_back(fragment.steps->shape(rank));
      steps_.push_back(steps_of(fragment, rank));
      states_.emplace_back(steps_.back().size(), State::Waiting);
    }
  }

  State& state(Place place) { return states_[place.fragment][place.index]; }
  const Step& step(Place place) const { return steps_[place.fragment][place.index]; }

  /// The ready steps of a lane, in program order.
  std::vector<Place> ready(Lane lane) const {
    std::vector<Place> places;
    for (std::uint32_t f = 0; f < steps_.size(); ++f)
      for (StepIndex i = 0; i < steps_[f].size(); ++i)
        if (steps_[f][i].lane == lane && is_ready(f, i)) places.push_back({f, i});
    return places;
  }
  bool is_done() const {
    for (std::uint32_t f = 0; f < steps_.size(); ++f)
      if (!is_complete(f)) return false;
    return true;
  }

 private:
  bool is_open(std::uint32_t f) const {
    for (const After& after : schedule_.fragments[f].after)
      if (after.step == After::kWhole ? !is_complete(after.fragment)
                                      : !is_complete(after.fragment, after.step))
        return false;
    return true;
  }
  bool has_begun(std::uint32_t f, std::uint32_t round) const {
    if (!is_open(f)) return false;
    for (std::uint32_t before = 0; before + shapes_[f].rounds_in_flight <= round; ++before)
      for (std::uint32_t slot = 0; slot < shapes_[f].steps_per_round; ++slot)
        if (!is_complete(f, before * shapes_[f].steps_per_round + slot)) return false;
    return true;
  }
  /// An unused slot is complete as soon as its round has begun.
  bool is_complete(std::uint32_t f, StepIndex i) const {
    if (steps_[f][i].verb == Verb::Nothing) return has_begun(f, i / shapes_[f].steps_per_round);
    return states_[f][i] == State::Complete;
  }
  /// What is complete stays so: asked again and again, it would take for ever.
  bool is_complete(std::uint32_t f) const {
    if (complete_[f]) return true;
    for (StepIndex i = 0; i < steps_[f].size(); ++i)
      if (!is_complete(f, i)) return false;
    complete_[f] = is_open(f);
    return complete_[f];
  }
  bool is_ready(std::uint32_t f, StepIndex i) const {
    const Step& step = steps_[f][i];
    if (step.verb == Verb::Nothing || states_[f][i] != State::Waiting) return false;
    if (!has_begun(f, i / shapes_[f].steps_per_round)) return false;
    for (std::uint32_t d = 0; d < step.after_count; ++d)
      if (!is_complete(f, step.after[d])) return false;
    if (step.verb != Verb::Send && step.verb != Verb::Recv) return true;
    for (StepIndex before = 0; before < i; ++before) {
      const Step& other = steps_[f][before];
      if (other.verb == step.verb && other.target == step.target && other.stream == step.stream &&
          states_[f][before] == State::Waiting)
        return false;
    }
    return true;
  }

  const Schedule& schedule_;
  Rank rank_;
  std::vector<StepSource::Shape> shapes_;
  std::vector<std::vector<Step>> steps_;
  std::vector<std::vector<State>> states_;
  mutable std::vector<bool> complete_;
};

}  // namespace lockstep::schedule
