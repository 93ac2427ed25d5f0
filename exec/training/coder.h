// SPDX-License-Identifier: Apache-2.0
// Carries out the Encode and Decode steps of one rank's training.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/codecs/codec.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// A codec for each of the iteration's codes. The elements of a code, which may lie apart, are for
/// its codec one array.
class Coder {
 public:
  /// `iteration` must outlive it.
  Coder(const training::Job& job, const training::Iteration& iteration, Rank rank);

  /// `from` and `into` are the memory of the step's slices; `iteration` counts from the beginning
  /// of the training. Steps of different codes may run at the same time.
  void encode(const schedule::Step& step, std::int32_t iteration, std::span<const std::byte> from,
              std::span<std::byte> into);
  void decode(const schedule::Step& step, std::span<const std::byte> from,
              std::span<std::byte> into);

  /// What codecs keep, code by code.
  std::vector<std::span<float>> memories();

 private:
  struct OfCode {
    std::unique_ptr<Codec> codec;
    std::vector<float> together;  // of elements that lie apart
  };
  OfCode& of(const schedule::Step& step) { return codes_[static_cast<std::size_t>(step.target)]; }
  const schedule::Code& code(const schedule::Step& step) const {
    return iteration_.schedule.codes[static_cast<std::size_t>(step.target)];
  }

  const training::Iteration& iteration_;
  std::vector<OfCode> codes_;
  std::int32_t ranks_;
};

}  // namespace lockstep::exec
