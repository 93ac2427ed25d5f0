// SPDX-License-Identifier: Apache-2.0
// The seam: what every rank of one training iteration (or one collective) does, as data.
// A schedule names no host, port or duration. The simulator gives each verb a demand, the executor
// gives each verb an effect; nothing else differs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/schedule/symmetry.h"

namespace lockstep::schedule {

enum class Verb : std::uint8_t {
  Nothing,  // an unused slot of a round: complete as soon as it is reached
  Compute,  // carry out row `target` of the job's work table
  Send,     // send `from` to rank `target`
  Recv,     // receive from rank `target` into `into`, combining with `combine`
  Combine,  // into = into (combine) from
  Encode,   // into = a code of `from`, by the codec of code `target`
  Decode,   // into = what `from` is a code of
};

/// How arriving elements meet those in place.
enum class Operator : std::uint8_t { Replace, Sum, Max };

/// What runs a rank's steps. Compute: the team of threads. Communication: one thread (sockets,
/// combine). Input: loading and decoding. A lane starts its ready steps in program order.
enum class Lane : std::uint8_t { Compute, Communication, Input };
inline constexpr int kLanes = 3;

/// Bytes hold codes whose inside only a codec knows: they are stored, never added.
enum class ElementType : std::uint8_t { Float32, Float16, BFloat16, Int8, Byte };
std::uint64_t bytes_of(ElementType type);
/// "float32", "byte".
std::string name_of(ElementType type);

/// Buffers are declared by the schedule, alike on every rank.
struct Buffer {
  std::string name;         // "gradients"
  std::uint64_t count = 0;  // elements
  ElementType type = ElementType::Float32;
  /// Steps that touch it come in any order, one at a time: computations on the communication lane.
  /// The only order that is chosen while a schedule runs.
  bool commutes = false;
  friend bool operator==(const Buffer&, const Buffer&) = default;
};

/// `count` elements of buffer `buffer` from element `first`.
struct Slice {
  std::uint32_t buffer = 0;
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  std::uint64_t end() const { return first + count; }
  Slice part(std::uint64_t offset, std::uint64_t elements) const {
    return {buffer, first + offset, elements};
  }
  friend bool operator==(const Slice&, const Slice&) = default;
};

/// Elements that travel encoded. A rank's contribution to them is encoded once or, where a code
/// has stages, again and again: Encode reads these elements first, then what the ranks have
/// together after the stage before; Decode writes these elements.
struct Code {
  std::string name;             // "top-k 1 %"
  std::vector<Slice> elements;  // of one buffer, ascending
  friend bool operator==(const Code&, const Code&) = default;
};

/// A step's number within its fragment on its rank: round × steps_per_round + slot.
using StepIndex = std::uint32_t;

/// One instruction. `from` is read, `into` is written (and read, unless `combine` is Replace).
/// Compute steps name what they read and write too, so that the proof covers them.
/// Encode and Decode with `combine` Sum read one code of every rank, equally long, in the order of
/// the ranks, and add up what they stand for; with Replace they read a single code. Where a slice
/// is in the buffer of the code's elements, those elements are meant, and it is their hull.
struct Step {
  Verb verb = Verb::Nothing;
  Lane lane = Lane::Communication;
  Operator combine = Operator::Replace;
  std::uint8_t stream = 0;  // messages of one (sender, receiver, stream) match first to first
  std::uint8_t after_count = 0;
  std::int32_t target = -1;
  Slice from{};
  Slice into{};
  /// Steps of the same fragment on the same rank, of smaller index, that must be complete first.
  std::array<StepIndex, 3> after{};

  void wait_for(StepIndex step);
  friend bool operator==(const Step&, const Step&) = default;
};

/// The steps of one fragment, produced on demand: for any rank, any round, in any order. A round
/// is a fixed number of slots, so that a step's number follows from its round and slot.
/// Immutable: both worlds and all ranks share one.
class StepSource {
 public:
  struct Shape {
    std::uint32_t rounds = 0;
    std::uint32_t steps_per_round = 0;
    /// A round is not begun before the round `rounds_in_flight` earlier is complete on this rank.
    /// Part of the schedule's meaning, hence alike in both worlds; and the bound of its memory.
    std::uint32_t rounds_in_flight = 1;
    friend bool operator==(const Shape&, const Shape&) = default;
  };
  virtual ~StepSource() = default;
  virtual Shape shape(Rank rank) const = 0;
  /// Fills `slots` (steps_per_round of them, handed over as Nothing) with round `round` of `rank`.
  virtual void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const = 0;
  /// What is known of it.
  virtual Symmetry symmetry() const { return {}; }
};

/// A fragment starts on a rank when this is complete on the same rank: the step `step` of
/// `fragment`, or the whole of it; in the same iteration, or in the one so many before it, which
/// counts as complete if there is none.
struct After {
  static constexpr StepIndex kWhole = UINT32_MAX;
  std::uint32_t fragment = 0;
  StepIndex step = kWhole;
  std::int32_t iterations_back = 0;
  friend bool operator==(const After&, const After&) = default;
};

/// In which iterations a fragment runs: in the last of every `every` of [first, end).
struct Recurrence {
  std::int32_t first = 0;
  std::int32_t end = INT32_MAX;
  std::int32_t every = 1;

  bool includes(std::int32_t iteration) const {
    return first <= iteration && iteration < end && (iteration - first + 1) % every == 0;
  }
  friend bool operator==(const Recurrence&, const Recurrence&) = default;
};

/// A run of steps with an order of its own: the chain of computations, the all-reduce of a bucket.
/// In an iteration in which it does not run, nobody waits for it.
struct Fragment {
  std::string name;          // "all-reduce 0"
  std::int32_t bucket = -1;  // the bucket it works for, −1 for none
  std::shared_ptr<const StepSource> steps;
  std::vector<After> after;  // in the same iteration: fragments of smaller number only
  Recurrence when{};
  /// Goes through its iterations by itself: the next begins when this one, and what it is after, is
  /// complete, in whichever iteration the rank is. Something that it is after must hold it back
  /// wherever it has no steps.
  bool own_pace = false;
};

/// What all ranks do. Program order on a rank: by fragment, then by step.
struct Schedule {
  std::string name;
  std::int32_t ranks = 1;
  std::vector<Buffer> buffers;
  std::vector<Fragment> fragments;
  std::vector<Code> codes;

  std::uint64_t bytes(const Slice& slice) const {
    return slice.count * bytes_of(buffers[slice.buffer].type);
  }
};

/// What happens in an iteration: fragments that do not run in it have no steps, and keep their
/// numbers.
Schedule in_iteration(const Schedule& schedule, std::int32_t iteration);
/// One iteration of each kind: all others run the same fragments as one of these.
std::vector<std::int32_t> different_iterations(const Schedule& schedule);

inline bool is_coding(const Step& step) {
  return step.verb == Verb::Encode || step.verb == Verb::Decode;
}
/// Whether `slice`, of an Encode or Decode step of the code, stands for the code's elements.
inline bool means_elements(const Code& code, const Slice& slice) {
  return !code.elements.empty() && code.elements.front().buffer == slice.buffer;
}

/// Names a step for people: "rank 3, all-reduce 0, step 17".
std::string describe(const Schedule& schedule, Rank rank, std::uint32_t fragment, StepIndex step);
/// "send gradients[0, 1024) to 3 (stream 0)".
std::string describe(const Schedule& schedule, const Step& step);

/// A fragment whose steps are written out, the same list for every rank or one for each.
/// All of its steps are in flight at once: only their dependencies order them.
class StepList final : public StepSource {
 public:
  /// `lists` has one list, shared by all ranks, or one per rank.
  explicit StepList(std::vector<std::vector<Step>> lists);
  Shape shape(Rank rank) const override;
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override;
  Symmetry symmetry() const override;

 private:
  const std::vector<Step>& of(Rank rank) const;
  std::vector<std::vector<Step>> lists_;
};

/// All steps of one fragment of one rank, in order, slots that do nothing included. For proofs,
/// printing and tests; neither world needs it.
std::vector<Step> steps_of(const Fragment& fragment, Rank rank);

}  // namespace lockstep::schedule
