// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/network_timing.h"

#include <algorithm>

#include "exec/calibration/machine_fit.h"
#include "exec/calibration/row_timing.h"
#include "models/training/iteration.h"

namespace lockstep::exec {

namespace {

training::Job one_rank_job(std::int32_t batch, std::int32_t threads) {
  training::Job job;
  job.batch = batch;
  job.threads = threads;
  job.iterations = 1;
  return job;
}

/// Enough passes for a median, more where they are short.
std::int32_t passes_for(double seconds) {
  constexpr double kEnough = 3;
  return static_cast<std::int32_t>(std::clamp(kEnough / seconds, 5.0, 60.0));
}

/// One bucket a stage, those of a job by default, and one of all.
constexpr std::uint64_t kBucketBytes[] = {1, training::Job{}.bucket_bytes, std::uint64_t{1} << 60};

}  // namespace

bool is_measured_beside(const std::vector<std::int32_t>& batches, std::int32_t batch) {
  const auto end = std::upper_bound(batches.begin(), batches.end(), 64);
  return batch <= 64 && std::upper_bound(batches.begin(), end, batch) + 1 >= end;
}

double expected_seconds(const network::Network& network, std::int32_t batch, std::int32_t threads,
                        const cost::Machine& machine) {
  const auto flops = static_cast<double>(network.flops_forward() + network.flops_backward());
  return flops * batch / (0.7 * machine.flops_per_core * threads);
}

void add_network(cost::Machine& machine, const network::Network& network,
                 const NetworkTiming& timing, Steadiness& steadiness) {
  const auto time = [&](const training::Job& job) {
    const std::int32_t passes =
        passes_for(expected_seconds(network, job.batch, job.threads, machine));
    return timing.data != nullptr ? time_rows(job, network, *timing.data, passes)
                                  : time_rows_on_noise(job, network, passes);
  };
  std::vector<RowSamples> samples;
  for (const std::int32_t batch : timing.batches) {
    timing.say(network.name + ", " + std::to_string(timing.threads) + " thread(s), batch " +
               std::to_string(batch));
    const training::Job job = one_rank_job(batch, timing.threads);
    RowSamples& sample = samples.emplace_back();
    sample.batch = batch;
    const RowTimes times = time(job);
    sample.alone = times.rows;
    steadiness.jitters.push_back(robust_spread(times.passes));
    steadiness.references.push_back(timing.reference());
    if (timing.threads < machine.cores && is_measured_beside(timing.batches, batch)) {
      MemoryStream stream;
      const Neighbour neighbour([&stream] { stream.run(); });
      sample.beside = time(job).rows;
    }
  }
  const TimedRows rows{.network = network,
                       .threads = timing.threads,
                       .neighbour = machine.core_memory_bytes_per_second,
                       .with_input = timing.data != nullptr};
  training::Job job = one_rank_job(timing.batches.front(), timing.threads);
  add_rows(machine, training::make_iteration(job, network).works, rows, samples);
  timing.say(network.name + ", " + std::to_string(timing.threads) + " thread(s), updates");
  const auto add = [&] {
    for (const std::uint64_t bytes : kBucketBytes) {
      job.bucket_bytes = bytes;
      add_per_parameter(machine, training::make_iteration(job, network).works, timing.threads,
                        {.batch = job.batch, .alone = time(job).rows, .beside = {}});
    }
  };
  for (const network::Optimizer optimizer : network::kOptimizers) {
    job.update.optimizer = optimizer;
    add();
  }
  job.accumulate = 2;
  job.noise_scale = true;
  job.batch = 2;
  add();
}

}  // namespace lockstep::exec
