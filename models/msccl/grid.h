// SPDX-License-Identifier: Apache-2.0
// A schedule's buffers cut into chunks.
#pragma once

#include <cstdint>
#include <vector>

#include "models/msccl/program.h"
#include "models/schedule/unrolled.h"
#include "models/schedule/verify.h"

namespace lockstep::msccl {

/// How many elements a step sends or writes.
std::uint64_t elements_of(const schedule::Step& step);
/// An unused slot, or a step on no elements: MSCCL knows neither.
bool does_nothing(const schedule::Step& step);

/// Chunks of one size, the largest that all slices are multiples of: of the data, which are the
/// slice of the contract, and of scratch, which are all other buffers, one behind the other.
class Grid {
 public:
  /// Throws ConfigError when there would be too many chunks, when there are no data, or when the
  /// shares of ranks differ. The contract must outlive it.
  Grid(const schedule::Unrolled& unrolled, const schedule::Contract& contract);

  std::int32_t chunks() const { return static_cast<std::int32_t>(chunks_); }
  std::int32_t scratch() const { return static_cast<std::int32_t>(scratch_); }
  std::int32_t count(std::uint64_t elements) const {
    return static_cast<std::int32_t>(elements / elements_);
  }
  /// Where a slice begins.
  Place place(const schedule::Slice& slice) const;
  /// What MSCCL calls the data, in place: the larger of input and output.
  Buffer data_buffer() const;

 private:
  void cut(const schedule::Slice& slice);

  const schedule::Contract& contract_;
  std::uint64_t elements_;  // of a chunk
  std::uint64_t chunks_ = 0;
  std::uint64_t scratch_ = 0;                 // chunks
  std::vector<std::uint64_t> first_scratch_;  // by buffer
};

}  // namespace lockstep::msccl
