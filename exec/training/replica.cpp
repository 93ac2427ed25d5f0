// SPDX-License-Identifier: Apache-2.0
#include "exec/training/replica.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/data/parallel.h"
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

std::size_t average_floats(const training::Iteration& iteration) {
  return iteration.averaging || iteration.service
             ? static_cast<std::size_t>(iteration.schedule.buffers[training::kAverages].count)
             : 0;
}

/// Of each buffer of codes, rounded up to whole floats.
std::vector<std::size_t> code_floats(const training::Iteration& iteration) {
  std::vector<std::size_t> floats;
  const std::vector<schedule::Buffer>& buffers = iteration.schedule.buffers;
  for (std::size_t b = iteration.first_code_buffer(); b < buffers.size(); ++b)
    floats.push_back((buffers[b].count * bytes_of(buffers[b].type) + sizeof(float) - 1) /
                     sizeof(float));
  return floats;
}

}  // namespace

std::size_t Replica::exchanged_floats(const network::Network& network,
                                      const training::Iteration& iteration) {
  std::size_t codes = 0;
  for (const std::size_t floats : code_floats(iteration))
    codes += aligned(floats);
  return aligned(Model::gradient_floats(network)) +
         aligned(static_cast<std::size_t>(network.sum_count)) + aligned(average_floats(iteration)) +
         aligned(scratch_floats(iteration)) + codes;
}

Replica::Exchanged Replica::divide(const network::Network& network, std::span<float> memory) const {
  const std::size_t sums = aligned(Model::gradient_floats(network));
  const auto sum_count = static_cast<std::size_t>(network.sum_count);
  const std::size_t averages = sums + aligned(sum_count);
  const std::size_t scratch = averages + aligned(average_floats(iteration_));
  Exchanged exchanged{
      .of_learner = {.gradients = memory.first(Model::gradient_floats(network)),
                     .sums = memory.subspan(sums, sum_count),
                     .averages = memory.subspan(averages, average_floats(iteration_))},
      .scratch = memory.subspan(scratch, scratch_floats(iteration_)),
      .codes = {}};
  std::size_t code = scratch + aligned(scratch_floats(iteration_));
  for (const std::size_t floats : code_floats(iteration_)) {
    exchanged.codes.push_back(memory.subspan(code, floats));
    code += aligned(floats);
  }
  return exchanged;
}

Replica::Replica(const training::Job& job, const network::Network& network,
                 const training::Iteration& iteration, const Dataset& data, Rank rank,
                 std::int32_t iterations_done, std::span<float> memory, const DataStart& data_start)
    : job_(job),
      iteration_(iteration),
      iterations_done_(iterations_done),
      micro_batches_(job.accumulate),
      own_memory_(memory.empty() ? exchanged_floats(network, iteration) : 0),
      exchanged_(divide(network, memory.empty() ? std::span(own_memory_.data(),
                                                            exchanged_floats(network, iteration))
                                                : memory)),
      loader_(*data.train,
              Batcher(data.train->count(), job.batch, job.ranks, rank, job.seed, job.accumulate,
                      data_start),
              normaliser_of(job, network.input.channels),
              job.input == network::InputKind::Jpeg ? job.decode_threads : 0,
              part_of(iterations_done, 0)),
      learner_(job, network, rank, exchanged_.of_learner, iterations_done),
      coder_(job, iteration, rank) {
  const auto most = static_cast<std::size_t>(loader_.most());
  for (Input& input : inputs_) {
    input.images.resize(most * network.input.elements());
    input.labels.resize(most);
  }
  fill(part_of(iterations_done, 0));
}

void Replica::fill(std::int64_t part) {
  Input& input = input_of(part);
  input.count = loader_.next_size();
  const auto count = static_cast<std::size_t>(input.count);
  const std::size_t bytes = input.images.size() / input.labels.size();
  loader_.take(std::span(input.images).first(count * bytes), std::span(input.labels).first(count));
}

void Replica::compute(std::int32_t work, std::int32_t iteration) {
  iteration += iterations_done_;
  const Work& row = iteration_.works[static_cast<std::size_t>(work)];
  const std::int64_t part = part_of(iteration, row.micro_batch);
  if (row.kind == WorkKind::Input) return fill(part + 1);
  if (row.stage == 0 && (row.kind == WorkKind::Sums || row.kind == WorkKind::Forward)) {
    const Input& input = input_of(part);
    learner_.bind(input.images.data(), input.labels.data(), iteration, row.micro_batch);
  }
  learner_.compute(row);
}

void Replica::serve(const schedule::Step& step, std::int32_t) {
  const std::span<float> from = floats_of(step.from);
  if (iteration_.works[static_cast<std::size_t>(step.target)].kind == WorkKind::Apply)
    learner_.apply(step.into.first, from);
  else
    std::ranges::copy(from, floats_of(step.into).begin());
}

void Replica::code(const schedule::Step& step, std::int32_t iteration) {
  iteration += iterations_done_;
  if (step.verb == schedule::Verb::Encode)
    return coder_.encode(step, iteration, memory_of(step.from), memory_of(step.into));
  coder_.decode(step, memory_of(step.from), memory_of(step.into));
  const auto code = static_cast<std::size_t>(step.target);
  if (!compression::holds_momentum(iteration_.codes[code].codec)) return;
  for (const schedule::Slice& slice : iteration_.schedule.codes[code].elements)
    std::ranges::fill(optimizer_state().subspan(slice.first, slice.count), 0.0F);
}

std::span<std::byte> Replica::memory_of(const schedule::Slice& slice) {
  const std::uint64_t size = bytes_of(iteration_.schedule.buffers[slice.buffer].type);
  return buffer(slice.buffer).subspan(slice.first * size, slice.count * size);
}

std::span<float> Replica::floats_of(const schedule::Slice& slice) {
  const std::span<std::byte> bytes = memory_of(slice);
  return {reinterpret_cast<float*>(bytes.data()), slice.count};
}

std::span<std::byte> Replica::buffer(std::uint32_t number) {
  const std::uint32_t first_code = iteration_.first_code_buffer();
  std::span<float> floats;
  if (number >= first_code && number - first_code < exchanged_.codes.size())
    floats = exchanged_.codes[number - first_code];
  else if (number == training::kGradients)
    floats = learner_.gradients();
  else if (number == training::kParameters)
    floats = learner_.parameters();
  else if (number == training::kScratch)
    floats = exchanged_.scratch;
  else if (number == training::kSums)
    floats = learner_.sums();
  else if (number == training::kMicro)
    floats = learner_.micro_gradients();
  else if (number == training::kAverages)
    floats = learner_.averages();
  else
    LOCKSTEP_CHECK(false, "no buffer " + std::to_string(number));
  return std::as_writable_bytes(floats);
}

std::vector<std::span<float>> Replica::own_parts(std::int32_t iterations) {
  std::vector<std::span<float>> parts = coder_.memories();
  if (!training::ranks_differ(job_, iterations)) return parts;
  parts.push_back(parameters());
  parts.push_back(optimizer_state());
  if (job_.staleness) parts.push_back(averages());
  return parts;
}

std::vector<float> Replica::own_memory(std::int32_t iterations) {
  std::vector<float> all;
  for (const std::span<float> part : own_parts(iterations))
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

void Replica::set_own_memory(std::int32_t iterations, std::span<const float> memory) {
  for (const std::span<float> part : own_parts(iterations)) {
    std::ranges::copy(memory.first(part.size()), part.begin());
    memory = memory.subspan(part.size());
  }
}

std::uint64_t Replica::hash() {
  std::uint64_t hash = 0x9E3779B97F4A7C15u;
  for (const float value : parameters())
    hash = std::rotl((hash ^ std::bit_cast<std::uint32_t>(value)) * 0xFF51AFD7ED558CCDu, 29);
  return hash;
}

Normaliser normaliser_of(const training::Job& job, std::int32_t channels) {
  constexpr double kNoMean = 0, kNoScale = 1;
  return {channels, job.pixel_mean.empty() ? std::span(&kNoMean, 1) : std::span(job.pixel_mean),
          job.pixel_std.empty() ? std::span(&kNoScale, 1) : std::span(job.pixel_std)};
}

Classified classify(const network::Network& network, std::span<const float> parameters,
                    const ImageSet& images, const Normaliser& normaliser, std::int32_t first,
                    std::int32_t count, std::int32_t threads) {
  constexpr std::int32_t kBatch = 100;
  Model model(network, kBatch, threads, Purpose::Testing);
  std::copy(parameters.begin(), parameters.end(), model.parameters().begin());
  const std::size_t bytes = images.format().bytes();
  std::vector<std::uint8_t> read(kBatch * bytes);
  std::vector<std::uint8_t> usable(kBatch);
  std::vector<float> pixels(kBatch * bytes);
  std::vector<std::int32_t> labels;
  Classified classified;
  for (std::int32_t done = 0; done < count; done += kBatch) {
    const std::int32_t batch = std::min(kBatch, count - done);
    parallel(
        static_cast<std::size_t>(batch), static_cast<std::size_t>(threads),
        [&] { return images.reader(); },
        [&](const std::unique_ptr<ImageReader>& reader, std::size_t i) {
          usable[i] =
              reader->read(first + done + static_cast<std::int32_t>(i), 0, read.data() + i * bytes);
        });
    labels.clear();
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch); ++i) {
      if (!usable[i]) continue;
      normaliser.apply(std::span(read).subspan(i * bytes, bytes),
                       std::span(pixels).subspan(labels.size() * bytes, bytes));
      labels.push_back(images.label(first + done + static_cast<std::int32_t>(i)));
    }
    classified.correct +=
        model.count_correct(pixels.data(), labels.data(), static_cast<int>(labels.size()));
    classified.tested += static_cast<std::int32_t>(labels.size());
  }
  return classified;
}

}  // namespace lockstep::exec
