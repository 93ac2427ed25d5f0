// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/row_timing.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "exec/data/loader.h"
#include "exec/launch/binding.h"
#include "exec/training/learner.h"
#include "exec/training/replica.h"
#include "exec/transport/clock.h"
#include "models/base/random.h"
#include "models/cost/fit.h"
#include "models/training/iteration.h"

namespace lockstep::exec {

namespace {

double seconds_since(std::int64_t start_ns) {
  return 1e-9 * static_cast<double>(steady_ns() - start_ns);
}

}  // namespace

Dataset noise_images(const network::Network& network, std::int32_t count) {
  const ImageFormat format{.size = {network.input.height, network.input.width},
                           .channels = network.input.channels};
  Random random(1);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * format.bytes());
  std::generate(pixels.begin(), pixels.end(),
                [&] { return static_cast<std::uint8_t>(random.next() >> 56); });
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  const auto classes = static_cast<std::uint64_t>(std::min(network.classes, 256));
  for (std::uint8_t& label : labels)
    label = static_cast<std::uint8_t>(random.below(classes));
  Dataset data;
  data.train = std::make_unique<StoredImages>(format, std::move(pixels), std::move(labels));
  data.test = std::make_unique<StoredImages>(format, std::vector<std::uint8_t>{},
                                             std::vector<std::uint8_t>{});
  return data;
}

double time_input(const training::Job& job, const Dataset& data, std::int32_t passes) {
  const ImageSet& images = *data.train;
  Loader loader(images, Batcher(images.count(), job.batch, 1, 0, job.seed),
                normaliser_of(job, images.format().channels), 0);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(loader.share()));
  std::vector<float> pixels(labels.size() * images.format().bytes());
  loader.take(pixels, labels);
  std::vector<double> seconds;
  for (std::int32_t pass = 0; pass < passes; ++pass) {
    const std::int64_t start = steady_ns();
    loader.take(pixels, labels);
    seconds.push_back(seconds_since(start));
  }
  return cost::median(std::move(seconds));
}

namespace {

/// Carries out compute(row, pass) for all rows of a table, pass after pass.
template <typename Compute>
RowTimes time_passes(std::size_t rows, std::int32_t passes, const Compute& compute) {
  std::vector<std::vector<double>> seconds(rows);
  constexpr std::int32_t kWarmUp = 2;
  RowTimes times;
  for (std::int32_t pass = 0; pass < kWarmUp + passes; ++pass) {
    const std::int64_t pass_start = steady_ns();
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t start = steady_ns();
      compute(row, pass);
      if (pass >= kWarmUp) seconds[row].push_back(seconds_since(start));
    }
    if (pass >= kWarmUp) times.passes.push_back(seconds_since(pass_start));
  }
  for (std::vector<double>& row : seconds)
    times.rows.push_back(cost::median(std::move(row)));
  return times;
}

}  // namespace

RowTimes time_rows(const training::Job& job, const network::Network& network, const Dataset& data,
                   std::int32_t passes) {
  const training::Iteration iteration = training::make_iteration(job, network);
  Replica replica(job, network, iteration, data, 0);
  return time_passes(iteration.works.size(), passes, [&](std::size_t row, std::int32_t pass) {
    replica.compute(static_cast<std::int32_t>(row), pass);
  });
}

namespace {

/// Computes the rows of an iteration on random images.
class NoisyLearner {
 public:
  NoisyLearner(const training::Job& job, const network::Network& network)
      : iteration_(training::make_iteration(job, network)),
        learner_(job, network, 0),
        images_(static_cast<std::size_t>(job.batch) * network.input.elements()),
        labels_(static_cast<std::size_t>(job.batch)) {
    Random random(job.seed);
    for (float& value : images_)
      value = static_cast<float>(random.uniform());
    for (std::int32_t& label : labels_)
      label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(network.classes)));
  }

  RowTimes time(std::int32_t passes) {
    return time_passes(iteration_.works.size(), passes,
                       [&](std::size_t row, std::int32_t pass) { compute(row, pass); });
  }
  void pass() {
    for (std::size_t row = 0; row < iteration_.works.size(); ++row)
      compute(row, passes_);
    ++passes_;
  }

 private:
  void compute(std::size_t row, std::int32_t pass) {
    const network::Work& work = iteration_.works[row];
    if (work.kind == network::WorkKind::Input)
      learner_.bind(images_.data(), labels_.data(), pass, work.micro_batch);
    else
      learner_.compute(work);
  }

  training::Iteration iteration_;
  Learner learner_;
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
  std::int32_t passes_ = 0;
};

}  // namespace

RowTimes time_rows_on_noise(const training::Job& job, const network::Network& network,
                            std::int32_t passes) {
  return NoisyLearner(job, network).time(passes);
}

std::vector<double> time_passes_in_turns(const training::Job& job, const network::Network& network,
                                         std::int32_t passes) {
  const std::size_t processors = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::unique_ptr<NoisyLearner>> learners;
  std::vector<std::unique_ptr<Neighbour>> neighbours;
  for (std::size_t number = 1; number < 2 * processors; ++number) {
    NoisyLearner& learner = *learners.emplace_back(std::make_unique<NoisyLearner>(job, network));
    neighbours.push_back(
        std::make_unique<Neighbour>([&learner, number, is_bound = false]() mutable {
          if (!std::exchange(is_bound, true)) bind_thread_to_processor(number);
          learner.pass();
        }));
  }
  std::vector<double> seconds;
  std::thread([&] {
    bind_thread_to_processor(0);
    seconds = NoisyLearner(job, network).time(passes).passes;
  }).join();
  return seconds;
}

Neighbour::Neighbour(std::function<void()> task)
    : thread_([this, task = std::move(task)] {
        while (!stop_.load(std::memory_order_relaxed))
          task();
      }) {}

Neighbour::~Neighbour() {
  stop_ = true;
  thread_.join();
}

namespace {
constexpr std::size_t kStreamFloats = std::size_t{32} << 20;  // 128 MiB each: no cache holds them
constexpr std::size_t kStreamPiece = std::size_t{256} << 10;
}  // namespace

MemoryStream::MemoryStream() : into_(kStreamFloats, 1.0f), from_(kStreamFloats, 1e-9f) {}

std::uint64_t MemoryStream::run() {
  float* into = into_.data() + position_;
  const float* from = from_.data() + position_;
  for (std::size_t i = 0; i < kStreamPiece; ++i)
    into[i] += from[i];
  position_ = (position_ + kStreamPiece) % kStreamFloats;
  return 3 * sizeof(float) * kStreamPiece;
}

double memory_bandwidth(std::int32_t threads) {
  constexpr double kSeconds = 0.4;
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::atomic<std::int32_t> ready{0};
  std::vector<std::thread> team;
  for (double& rate : rates)
    team.emplace_back([&rate, &ready, threads] {
      MemoryStream stream;
      ready.fetch_add(1);
      while (ready.load() < threads)
        std::this_thread::yield();
      std::uint64_t bytes = 0;
      const std::int64_t start = steady_ns();
      while (seconds_since(start) < kSeconds)
        bytes += stream.run();
      rate = static_cast<double>(bytes) / seconds_since(start);
    });
  for (std::thread& thread : team)
    thread.join();
  double sum = 0;
  for (const double rate : rates)
    sum += rate;
  return sum;
}

double peak_flops() {
  // Enough independent chains to hide the latency of a multiply-add on any processor, each as wide
  // as the widest vector register; the compiler turns the inner loop into one instruction a chain.
  constexpr std::size_t kWidth = 16, kChains = 12, kSteps = 200'000;
  alignas(64) std::array<std::array<float, kWidth>, kChains> sums{};
  alignas(64) std::array<float, kWidth> factor, term;
  factor.fill(0.999999f);
  term.fill(1e-6f);
  double best = 0;
  volatile float sink = 0;
  for (int trial = 0; trial < 7; ++trial) {
    const std::int64_t start = steady_ns();
    for (std::size_t step = 0; step < kSteps; ++step)
      for (std::array<float, kWidth>& chain : sums)
        for (std::size_t i = 0; i < kWidth; ++i)
          chain[i] = chain[i] * factor[i] + term[i];
    best = std::max(best, 2.0 * kWidth * kChains * kSteps / seconds_since(start));
    for (const auto& chain : sums)
      sink = sink + chain[0];
  }
  return best;
}

}  // namespace lockstep::exec
