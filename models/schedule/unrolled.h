// SPDX-License-Identifier: Apache-2.0
// All steps of all ranks at once, numbered and matched: what proofs and facts walk over.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// A step of any rank: by rank, then in program order.
using StepId = std::uint32_t;
inline constexpr StepId kNoStep = UINT32_MAX;

/// One rank's part of one fragment.
struct Section {
  Rank rank = 0;
  std::uint32_t fragment = 0;
  StepId first = 0;
  StepId end = 0;
  StepSource::Shape shape;

  std::uint32_t round_of(StepId step) const { return (step - first) / shape.steps_per_round; }
  /// Whether the bound on the rounds in flight ever holds a round back.
  bool is_gated() const { return shape.rounds_in_flight < shape.rounds; }
};

/// A schedule written out. The schedule must outlive it. Reads no field of any step.
class Unrolled {
 public:
  explicit Unrolled(const Schedule& schedule);

  const Schedule& schedule() const { return schedule_; }
  const std::vector<Step>& steps() const { return steps_; }
  StepId size() const { return static_cast<StepId>(steps_.size()); }
  const Step& step(StepId id) const { return steps_[id]; }
  /// By rank, then by fragment.
  const std::vector<Section>& sections() const { return sections_; }
  std::uint32_t section_number(Rank rank, std::uint32_t fragment) const {
    return static_cast<std::uint32_t>(rank) * fragments_ + fragment;
  }
  std::uint32_t section_number(StepId id) const { return section_of_[id]; }
  const Section& section(Rank rank, std::uint32_t fragment) const {
    return sections_[section_number(rank, fragment)];
  }
  const Section& section(StepId id) const { return sections_[section_of_[id]]; }
  /// The steps of one rank: from the first up to the end.
  StepId first_of(Rank rank) const { return first_of_rank_[static_cast<std::size_t>(rank)]; }
  StepId end_of(Rank rank) const { return first_of_rank_[static_cast<std::size_t>(rank) + 1]; }
  /// "rank 3, all-reduce 0, step 17 (send gradients[0, 8) to 4 (stream 0))".
  std::string name(StepId id) const;

 private:
  const Schedule& schedule_;
  std::uint32_t fragments_;
  std::vector<Step> steps_;
  std::vector<Section> sections_;
  std::vector<std::uint32_t> section_of_;
  std::vector<StepId> first_of_rank_;
};

/// How messages join the steps. Indexed by StepId; kNoStep where there is none.
struct Messages {
  std::vector<StepId> mate;      // of a Send the Recv that gets it, and the other way round
  std::vector<StepId> previous;  // the step before on the channel: same rank, verb, peer, stream
  std::vector<std::uint32_t> number;  // position on its channel

  /// Matches the k-th Send of each (sender, receiver, stream) with the k-th Recv, in program order.
  /// The targets of Sends and Recvs must be ranks.
  explicit Messages(const Unrolled& unrolled);
};

}  // namespace lockstep::schedule
