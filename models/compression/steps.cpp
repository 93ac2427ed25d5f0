// SPDX-License-Identifier: Apache-2.0
#include "models/compression/steps.h"

#include <utility>

#include "models/base/errors.h"

namespace lockstep::compression {

using schedule::Operator;
using schedule::Slice;
using schedule::Step;
using schedule::StepSource;
using schedule::Verb;

namespace {

class Coding final : public StepSource {
 public:
  Coding(const Step& step, std::uint64_t stride) : step_(step), stride_(stride) {}
  Shape shape(Rank) const override { return {1, 1, 1}; }
  void emit(Rank rank, std::uint32_t, std::span<Step> slots) const override {
    slots.front() = step_;
    slots.front().into.first += static_cast<std::uint64_t>(rank) * stride_;
  }
  schedule::Symmetry symmetry() const override { return {.is_full = true}; }

 private:
  Step step_;
  std::uint64_t stride_;
};

class Maximum final : public StepSource {
 public:
  explicit Maximum(std::shared_ptr<const StepSource> sums) : sums_(std::move(sums)) {}
  Shape shape(Rank rank) const override { return sums_->shape(rank); }
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    sums_->emit(rank, round, slots);
    for (Step& step : slots)
      if (step.combine == Operator::Sum) step.combine = Operator::Max;
  }
  schedule::Symmetry symmetry() const override { return sums_->symmetry(); }

 private:
  std::shared_ptr<const StepSource> sums_;
};

class AllToAll final : public StepSource {
 public:
  AllToAll(std::int32_t ranks, const Slice& from, const Slice& into, std::uint8_t stream)
      : ranks_(ranks), from_(from), into_(into), stream_(stream) {
    LOCKSTEP_CHECK(
        from.count == into.count && from.count % static_cast<std::uint64_t>(ranks) == 0,
        std::to_string(from.count) + " elements as pieces of " + std::to_string(ranks) + " ranks");
  }

  // Round 0 keeps the rank's own piece; round t sends to the t-th rank behind and receives from the
  // t-th before. Nothing depends on anything.
  Shape shape(Rank) const override { return {static_cast<std::uint32_t>(ranks_), 2, 3}; }
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    if (from_.count == 0) return;
    const auto t = static_cast<std::int32_t>(round);
    const Rank to = (rank + t) % ranks_;
    const Rank source = (rank - t + ranks_) % ranks_;
    if (t == 0) {
      slots[0] = {.verb = Verb::Combine, .from = piece(from_, rank), .into = piece(into_, rank)};
      return;
    }
    slots[0] = {.verb = Verb::Send, .stream = stream_, .target = to, .from = piece(from_, to)};
    slots[1] = {
        .verb = Verb::Recv, .stream = stream_, .target = source, .into = piece(into_, source)};
  }
  schedule::Symmetry symmetry() const override { return {.radices = {ranks_}}; }

 private:
  Slice piece(const Slice& whole, Rank rank) const {
    const std::uint64_t size = whole.count / static_cast<std::uint64_t>(ranks_);
    return whole.part(static_cast<std::uint64_t>(rank) * size, size);
  }

  std::int32_t ranks_;
  Slice from_;
  Slice into_;
  std::uint8_t stream_;
};

}  // namespace

std::shared_ptr<const StepSource> make_coding(const Step& step, std::uint64_t stride) {
  return std::make_shared<Coding>(step, stride);
}

std::shared_ptr<const StepSource> make_maximum(std::shared_ptr<const StepSource> sums) {
  return std::make_shared<Maximum>(std::move(sums));
}

std::shared_ptr<const StepSource> make_all_to_all(std::int32_t ranks, const Slice& from,
                                                  const Slice& into, std::uint8_t stream) {
  return std::make_shared<AllToAll>(ranks, from, into, stream);
}

}  // namespace lockstep::compression
