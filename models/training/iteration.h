// SPDX-License-Identifier: Apache-2.0
// One training iteration as one schedule: input, forward, backward, the all-reduce of each gradient
// bucket or of its codes, update. Built once, run by both worlds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/compression/codec.h"
#include "models/network/network.h"
#include "models/network/work.h"
#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"
#include "models/training/job.h"

namespace lockstep::training {

/// Gradients that are reduced together: those of the consecutive stages first_stage … last_stage,
/// one slice of the flat buffers (which hold the last layer first).
struct Bucket {
  std::int32_t first_stage = 0;
  std::int32_t last_stage = 0;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// In the order in which the backward pass completes them. A bucket is closed by the stage with
/// which it reaches `bucket_bytes`; stages are not split.
std::vector<Bucket> make_buckets(const network::Network& network, std::uint64_t bucket_bytes);

/// The buffers of an iteration's schedule, by number.
inline constexpr std::uint32_t kGradients = 0;
inline constexpr std::uint32_t kParameters = 1;
inline constexpr std::uint32_t kScratch = 2;
inline constexpr std::uint32_t kSums = 3;   // only if batch normalisation is synchronised
inline constexpr std::uint32_t kMicro = 4;  // gradients of a micro-batch; only if there are several
// Codes have those behind, one for each type of element.

struct Iteration {
  schedule::Schedule schedule;
  network::WorkTable works;
  std::vector<Bucket> buckets;
  std::vector<compression::Group> codes;  // what the schedule's codes are
  bool synchronises = false;              // there are sums of batch normalisations
  bool accumulates = false;               // there are gradients of micro-batches

  /// The first of the buffers that hold codes.
  std::uint32_t first_code_buffer() const {
    return accumulates ? kMicro + 1 : synchronises ? kSums + 1 : kSums;
  }

  /// What verify() has to prove, of one buffer each: an update reads gradients that hold every
  /// rank's once; and so, when batch normalisation is synchronised, do the sums that it uses.
  std::vector<schedule::Contract> contracts() const;
};

/// The iteration of a job. The images of the next iteration are loaded while this one runs (input
/// lane). With `overlap` a bucket's all-reduce starts as soon as its gradients are there, otherwise
/// when the backward pass is over; `buckets_in_flight` at a time, each on streams of its own, of
/// which there are 256. When batch normalisation is synchronised, the ranks' sums are added where
/// they are needed, forward and backward, on one operation's streams more. `groups` is the group of
/// each rank, for the hierarchical algorithm; empty = one group.
Iteration make_iteration(const Job& job, const network::Network& network,
                         const std::vector<std::int32_t>& groups = {});

/// "forward conv1", "update 0": of every row of the work table, for people.
std::vector<std::string> work_names(const Iteration& iteration, const network::Network& network);

}  // namespace lockstep::training
