// SPDX-License-Identifier: Apache-2.0
#include "exec/training/replica.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/kernels/model.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using network::Work;
using network::WorkKind;

namespace {

/// Buffers begin at cache lines.
std::size_t aligned(std::size_t floats) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  return (floats + kLine - 1) / kLine * kLine;
}

std::size_t scratch_floats(const training::Iteration& iteration) {
  return static_cast<std::size_t>(iteration.schedule.buffers[training::kScratch].count);
}

}  // namespace

std::size_t Replica::exchanged_floats(const network::Network& network,
                                      const training::Iteration& iteration) {
  return aligned(Model::gradient_floats(network)) +
         aligned(static_cast<std::size_t>(network.sum_count)) + aligned(scratch_floats(iteration));
}

Replica::Exchanged Replica::divide(const network::Network& network, std::span<float> memory) const {
  const std::size_t sums = aligned(Model::gradient_floats(network));
  const auto sum_count = static_cast<std::size_t>(network.sum_count);
  return {.of_model = {.gradients = memory.first(Model::gradient_floats(network)),
                       .sums = memory.subspan(sums, sum_count)},
          .scratch = memory.subspan(sums + aligned(sum_count), scratch_floats(iteration_))};
}

Replica::Replica(const training::Job& job, const network::Network& network,
                 const training::Iteration& iteration, const Dataset& data, Rank rank,
                 std::int32_t iterations_done, std::span<float> memory)
    : iteration_(iteration),
      iterations_done_(iterations_done),
      own_memory_(memory.empty() ? exchanged_floats(network, iteration) : 0),
      exchanged_(divide(network, memory.empty() ? std::span(own_memory_.data(),
                                                            exchanged_floats(network, iteration))
                                                : memory)),
      batcher_(data.train, job.batch, job.ranks, rank, job.seed),
      learner_(job, network, rank, exchanged_.of_model) {
  const auto share = static_cast<std::size_t>(batcher_.share());
  for (Input& input : inputs_) {
    input.images.resize(share * network.input.elements());
    input.labels.resize(share);
  }
  fill(iterations_done);
}

void Replica::fill(std::int32_t iteration) {
  Input& input = inputs_[static_cast<std::size_t>(iteration % 2)];
  batcher_.fill(iteration, input.images, input.labels);
}

void Replica::compute(std::int32_t work, std::int32_t iteration) {
  iteration += iterations_done_;
  const Work& row = iteration_.works[static_cast<std::size_t>(work)];
  if (row.kind == WorkKind::Input) return fill(iteration + 1);
  if (row.stage == 0 && (row.kind == WorkKind::Sums || row.kind == WorkKind::Forward)) {
    const Input& input = inputs_[static_cast<std::size_t>(iteration % 2)];
    learner_.bind(input.images.data(), input.labels.data(), iteration);
  }
  learner_.compute(row);
}

std::span<float> Replica::buffer(std::uint32_t number) {
  switch (number) {
    case training::kGradients:
      return learner_.gradients();
    case training::kParameters:
      return learner_.parameters();
    case training::kScratch:
      return exchanged_.scratch;
    case training::kSums:
      return learner_.sums();
    default:
      LOCKSTEP_CHECK(false, "no buffer " + std::to_string(number));
  }
}

std::uint64_t Replica::hash() {
  std::uint64_t hash = 0x9E3779B97F4A7C15u;
  for (const float value : parameters())
    hash = std::rotl((hash ^ std::bit_cast<std::uint32_t>(value)) * 0xFF51AFD7ED558CCDu, 29);
  return hash;
}

std::int32_t count_correct(const network::Network& network, std::span<const float> parameters,
                           const ImageSet& images, std::int32_t first, std::int32_t count,
                           std::int32_t threads) {
  constexpr std::int32_t kBatch = 100;
  Model model(network, kBatch, threads, Purpose::Testing);
  std::copy(parameters.begin(), parameters.end(), model.parameters().begin());
  std::vector<float> pixels(kBatch * network.input.elements());
  std::vector<std::int32_t> labels(kBatch);
  std::int32_t correct = 0;
  for (std::int32_t done = 0; done < count;) {
    const std::int32_t batch = std::min(kBatch, count - done);
    const auto size = static_cast<std::size_t>(batch);
    fill_range(images, first + done, std::span(pixels).first(size * network.input.elements()),
               std::span(labels).first(size));
    correct += model.count_correct(pixels.data(), labels.data(), batch);
    done += batch;
  }
  return correct;
}

}  // namespace lockstep::exec
