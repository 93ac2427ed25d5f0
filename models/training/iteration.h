// SPDX-License-Identifier: Apache-2.0
// One training iteration as one schedule: input, forward, backward, the all-reduce of each gradient
// bucket or of its codes, update. Built once, run by both worlds.
#pragma once

#include <cstdint>
#include <optional>
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
inline constexpr std::uint32_t kAverages = 5;  // of parameters; only with local steps
inline constexpr std::uint32_t kServed = 5;    // parameters; only with staleness
// Codes have those behind, one for each type of element.

struct Iteration {
  schedule::Schedule schedule;
  network::WorkTable works;
  std::vector<Bucket> buckets;
  std::vector<compression::Group> codes;  // what the schedule's codes are
  bool synchronises = false;              // there are sums of batch normalisations
  bool accumulates = false;               // there are gradients of micro-batches
  /// With local steps. `when`: from its first on every rank goes its own way, but for the averages.
  struct Averaging {
    schedule::Recurrence when;
    /// Leaves the average of all ranks' parameters in kAverages, and everything else as it is.
    schedule::Schedule alone;
  };
  std::optional<Averaging> averaging;
  /// With staleness: ranks serve parameters.
  struct Service {
    /// Leaves all ranks' served parameters in kServed of every rank.
    schedule::Schedule gather;
    schedule::Contract contract;
  };
  std::optional<Service> service;

  /// The first of the buffers that hold codes.
  std::uint32_t first_code_buffer() const {
    if (averaging || service) return kAverages + 1;
    return accumulates ? kMicro + 1 : synchronises ? kSums + 1 : kSums;
  }

  /// A schedule and what verify() has to prove of it.
  struct Claim {
    schedule::Schedule schedule;
    schedule::Contract contract;
  };
  /// All there is to prove, of one buffer each. In a synchronous iteration an update reads
  /// gradients that hold every rank's once; and so, when batch normalisation is synchronised, do
  /// the sums that it uses. Where parameters are averaged, what becomes of them holds every rank's
  /// once. Servers keep the promise of schedule::Service.
  std::vector<Claim> claims() const;
};

/// The iteration of a job. The images of the next iteration are loaded while this one runs (input
/// lane). With `overlap` a bucket's all-reduce starts as soon as its gradients are there, otherwise
/// when the backward pass is over; `buckets_in_flight` at a time, each on streams of its own, of
/// which there are 256. When batch normalisation is synchronised, the ranks' sums are added where
/// they are needed, forward and backward, on one operation's streams more. `groups` is the group of
/// each rank, for the hierarchical algorithm; empty = one group.
///
/// With local steps an iteration from `local_from` on has no all-reduce of gradients: every rank
/// takes its own for its update. At the end of every `local_steps` of them parameters, which move
/// like gradients otherwise, are averaged bucket by bucket, each rank's by the share of the batch
/// that it went through. With staleness ranks serve parameters (serving.h).
Iteration make_iteration(const Job& job, const network::Network& network,
                         const std::vector<std::int32_t>& groups = {});

/// "forward conv1", "update 0": of every row of the work table, for people.
std::vector<std::string> work_names(const Iteration& iteration, const network::Network& network);

}  // namespace lockstep::training
