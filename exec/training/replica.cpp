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

Replica::Replica(const training::Job& job, const network::Network& network,
                 const training::Iteration& iteration, const Dataset& data, Rank rank,
                 std::int32_t iterations_done)
    : iteration_(iteration),
      iterations_done_(iterations_done),
      batcher_(data.train, job.batch, job.ranks, rank, job.seed),
      learner_(job, network, rank),
      scratch_(iteration.schedule.buffers[training::kScratch].count) {
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
      return scratch_;
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
