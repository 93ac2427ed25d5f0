// SPDX-License-Identifier: Apache-2.0
// What to train and how: the resolved job, the same in both worlds. Every figure that decides
// what the ranks do is here; nothing about where or how fast they do it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/base/intra_host.h"
#include "models/collectives/algorithm.h"
#include "models/compression/rules.h"
#include "models/network/network.h"
#include "models/network/work.h"
#include "models/schedule/verify.h"
#include "models/topology/placement.h"
#include "models/training/learning_rate.h"
#include "models/training/optimizer.h"

namespace lockstep::training {

/// Over which images batch normalisation takes mean and variance: the rank's share of the batch, or
/// all of it (then the ranks' sums are added for every such layer, forward and backward).
enum class BatchNorm : std::uint8_t { PerRank, Synchronised };

enum class Fidelity : std::uint8_t { Ideal, Flow, Packet };

/// No bound of the staleness.
inline constexpr std::int32_t kUnboundedStaleness = schedule::Service::kUnbounded;
inline constexpr std::int32_t kMostStaleness = 32;  // where there is a bound

/// From iteration `iteration` on the batch is `factor` times what it was before, rounded.
struct BatchGrowth {
  double factor = 1;
  std::int32_t iteration = 0;
};

struct Job {
  std::string network = "fashion-cnn";  // name or file, as given
  std::int32_t ranks = 1;
  std::int32_t batch = 64;                // images per iteration, all ranks together
  std::int32_t accumulate = 1;            // micro-batches that each rank goes through its share in
  std::vector<BatchGrowth> batch_growth;  // later ones last; `batch` is the first iteration's
  std::int32_t threads = 1;               // of the compute lane of each rank
  std::int32_t iterations = 0;  // SGD updates; resolved from --epochs by the images there are

  collectives::Algorithm algorithm = collectives::Algorithm::Ring;
  bool choose_algorithm = false;         // "auto": not yet resolved
  bool choose_segment = true;            // then too; false once segment_bytes is given
  std::uint64_t bucket_bytes = 1 << 20;  // a bucket is closed once it holds this much
  std::int32_t buckets_in_flight = 2;
  std::uint64_t segment_bytes = 256 << 10;  // a chunk travels in pieces of at most this size
  bool overlap = true;                      // all-reduce a bucket while the backward pass goes on
  topology::GroupBy group_by;               // of the hierarchical algorithm
  std::int32_t servers = 0;                 // of the parameter server; 0 = all ranks
  std::int32_t streams = 1;                 // parts of a bucket that are reduced side by side
  IntraHost intra_host = IntraHost::Tcp;    // between ranks of one host
  compression::Rules compression;           // empty: gradients travel as they are
  bool choose_compression = false;          // "auto": not yet resolved

  BatchNorm batch_norm = BatchNorm::PerRank;

  /// Local SGD: from iteration `local_from` on every rank goes its own way, and parameters are
  /// averaged at the end of every `local_steps` iterations. 0 = synchronous throughout.
  std::int32_t local_steps = 0;
  std::int32_t local_from = 0;

  /// With the parameter server: servers apply each worker's gradients as they come, and a worker
  /// begins iteration i + S + 1 only when all gradients of iteration i are applied. None:
  /// synchronous, all gradients are summed first.
  std::optional<std::int32_t> staleness;

  double learning_rate = 0.05;  // the base: what `rate` makes of it is that of an iteration
  RateSchedule rate;
  double momentum = 0.9;
  UpdateRule update;
  bool noise_scale = false;  // estimate it from the gradients of ranks and micro-batches

  std::string topology = "one_host";  // name or file, as given
  topology::Placement placement;
  Fidelity fidelity = Fidelity::Flow;
  std::string data;  // folder of IDX or JPEG files; "" = Debian's Fashion-MNIST
  network::InputKind input = network::InputKind::Pixels;  // resolved by what is in the folder
  double test_share = 0.2;  // of the JPEG files, put aside for testing
  bool augment = false;     // training images: another crop, mirrored or not, in every epoch
  std::int32_t decode_threads = 1;  // of each rank, for JPEG files; 0: the input lane itself
  std::string cache;                // where decoded images are kept: "", "memory", or a folder
  std::uint64_t cache_bytes = std::uint64_t{8}
                              << 30;  // most of training images, and of test images
  /// What the network sees is (pixel ÷ 255 − mean) ÷ std, for all channels or for each. Empty: for
  /// colour JPEG files settled with the usual figures, otherwise 0 and 1.
  std::vector<double> pixel_mean;
  std::vector<double> pixel_std;
  std::uint64_t seed = 1;
};

/// The algorithm and the choices it depends on, for people: "ring", "hierarchical by rack",
/// "parameter-server, 2 servers", "parameter-server, all ranks serve".
std::string algorithm_of(const Job& job);

/// Rank r's images of every batch are those from first_of_share(r) up to, not including,
/// first_of_share(r + 1): shares are as even as it goes.
std::int32_t first_of_share(std::int32_t batch, std::int32_t ranks, Rank rank);

/// Whether update `iteration` of each rank follows from its own gradients alone.
bool is_local(const Job& job, std::int32_t iteration);
/// Whether ranks have parameters and velocities of their own once `iterations` are done. Right
/// after an averaging it is the velocities only.
bool ranks_differ(const Job& job, std::int32_t iterations);
bool parameters_differ(const Job& job, std::int32_t iterations);

/// For people: "local from iteration 100 on: parameters … are averaged every 4 iteration(s), …".
std::string describe_averaging(const Job& job);

}  // namespace lockstep::training
