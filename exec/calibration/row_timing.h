// SPDX-License-Identifier: Apache-2.0
// Measures the rows of a work table on one rank, alone or beside a neighbour that loads the memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "exec/data/dataset.h"
#include "models/network/network.h"
#include "models/training/job.h"

namespace lockstep::exec {

struct RowTimes {
  std::vector<double> rows;    // seconds of each row of the work table, the median over passes
  std::vector<double> passes;  // seconds of each pass
};

/// Images of noise that fit the network. What layers take does not depend on what images show.
Dataset noise_images(const network::Network& network, std::int32_t count);

/// Times the rows of training::make_iteration. A pass carries out all rows in order, as training
/// does, so each finds the caches as it would there. `job` gives batch, threads and seed, and is of
/// one rank.
RowTimes time_rows(const training::Job& job, const network::Network& network, const Dataset& data,
                   std::int32_t passes);

/// The same with random images of the network's size, for which nothing has to be loaded: the Input
/// row takes no time.
RowTimes time_rows_on_noise(const training::Job& job, const network::Network& network,
                            std::int32_t passes);

/// The passes of one thread of twice as many as there are processors, which all do the same: two
/// take turns on each.
std::vector<double> time_passes_in_turns(const training::Job& job, const network::Network& network,
                                         std::int32_t passes);

/// Seconds of loading a batch of `job`, alone and on one thread: the median over passes.
double time_input(const training::Job& job, const Dataset& data, std::int32_t passes);

/// A thread that carries out `task` over and over from construction to destruction.
class Neighbour {
 public:
  explicit Neighbour(std::function<void()> task);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Adds one large array to another, in pieces: the traffic between cache and memory of a thread
/// that does nothing else. Two floats read and one written for each element.
class MemoryStream {
 public:
  MemoryStream();
  /// One piece; returns the bytes it moved.
  std::uint64_t run();

 private:
  std::vector<float> into_;
  std::vector<float> from_;
  std::size_t position_ = 0;
};

/// Bytes per second that `threads` memory streams move together.
double memory_bandwidth(std::int32_t threads);

/// Single-precision multiply-adds per second, times two, that one core does at its peak with the
/// instructions that the kernels are compiled for.
double peak_flops();

}  // namespace lockstep::exec
