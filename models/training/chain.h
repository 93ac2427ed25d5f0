// SPDX-License-Identifier: Apache-2.0
// The computations of an iteration in their order, the same on every rank: for each micro-batch
// input | forward … loss … backward.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network/network.h"
#include "models/network/work.h"
#include "models/schedule/schedule.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::training {

struct Chain {
  /// A stretch that nothing has to come between: an all-reduce of a batch normalisation's sums
  /// does, and so does the input of the next micro-batch.
  struct Run {
    std::uint32_t fragment = 0;  // its number: an all-reduce of sums takes the one behind it
    std::vector<schedule::Step> steps{};
    std::vector<schedule::After> after{};
    schedule::Slice sums{};  // added over the ranks behind it; none if empty
  };
  std::vector<Run> runs;
  /// By stage: the step behind which the batch's gradients are complete.
  std::vector<schedule::After> gradients_of;
};

/// Appends its rows to `works`. Of several micro-batches the gradients are added up bucket by
/// bucket, behind the stage that completes the bucket.
Chain make_chain(const Job& job, const network::Network& network,
                 const std::vector<Bucket>& buckets, network::WorkTable& works);

/// The layer's parameters in the flat buffers; empty if it has none.
schedule::Slice slice_of(const network::Layer& layer, std::uint32_t buffer);

}  // namespace lockstep::training
