// SPDX-License-Identifier: Apache-2.0
// The part of an iteration in which gradients travel encoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "models/compression/codec.h"
#include "models/network/network.h"
#include "models/schedule/schedule.h"
#include "models/training/job.h"

namespace lockstep::training {

struct Bucket;

/// Gradients of a bucket that are encoded together, and where they are.
struct CodedGroup {
  compression::Group group;
  std::vector<schedule::Slice> elements;
};

/// As codecs see it.
compression::Tensor tensor_of(const network::Parameter& parameter);

/// A bucket's gradients by the codecs of the job's rules; none if all of it is reduced in place.
/// What a codec is not for, such as biases, goes by itself if something else is encoded.
std::vector<CodedGroup> coded_groups(const Job& job, const network::Network& network,
                                     const Bucket& bucket);

/// How many groups a bucket can have at most, each with streams of its own.
std::int32_t most_groups(const Job& job);

/// Appends to a schedule what encodes groups, brings the codes together and decodes them; and
/// declares the buffers that they are in, one for each type of element, from `first_buffer` on.
class Coding {
 public:
  /// The arguments must outlive it. `ranks_of_groups` is for the hierarchical algorithm.
  Coding(const Job& job, const std::vector<std::int32_t>& ranks_of_groups,
         std::uint32_t first_buffer, schedule::Schedule& schedule);

  /// Fragments for a group of bucket `bucket`, which begin after `ready`; returns what is there
  /// when they are over. `stream` is the first of the job's streams for one all-reduce.
  std::vector<schedule::After> add(const CodedGroup& coded, std::int32_t bucket,
                                   std::vector<schedule::After> ready, std::uint8_t stream);
  void declare_buffers();

 private:
  class Chain;
  struct Room {
    schedule::ElementType type = schedule::ElementType::Byte;
    std::uint64_t count = 0;
  };
  schedule::Slice allocate(schedule::ElementType type, std::uint64_t count);

  const Job& job_;
  const std::vector<std::int32_t>& ranks_of_groups_;
  std::uint32_t first_buffer_;
  schedule::Schedule& schedule_;
  std::vector<Room> rooms_;  // of each buffer
};

}  // namespace lockstep::training
