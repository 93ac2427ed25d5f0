// SPDX-License-Identifier: Apache-2.0
// What a calibration of a network covers. How long anything takes is nobody's promise here.
#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>

#include "exec/calibration/network_timing.h"
#include "exec/calibration/row_timing.h"
#include "models/cost/cost_model.h"
#include "models/training/iteration.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;

namespace {

/// A row of every kind that there is.
network::Network all_kinds() {
  return exec::make_network(
      12, 12, 1,
      exec::convolution(4, 3, 1, 1) + exec::kNorm + exec::kRelu + exec::pool(2, 2) +
          exec::convolution_of_groups(4, 2) + exec::kRelu + exec::kind("add", R"("with":"pool1")") +
          exec::kind("average-pool", R"("kernel":2)") + exec::kind("dropout", R"("rate":0.5)") +
          exec::kind("global-average-pool") + exec::dense(6) + exec::kRelu);
}

cost::Machine measured(const network::Network& network, const std::vector<std::int32_t>& threads,
                       const exec::Dataset* data) {
  cost::Machine machine;
  machine.name = "here";
  machine.cores = 2;
  machine.flops_per_core = 1;  // so slow that five passes are enough
  machine.core_memory_bytes_per_second = machine.memory_bytes_per_second = 1e10;
  exec::Steadiness steadiness;
  for (const std::int32_t count : threads)
    exec::add_network(machine, network,
                      {.batches = {1, 3, 6},
                       .threads = count,
                       .data = data,
                       .reference = [] { return 1.0; },
                       .say = [](const std::string&) {}},
                      steadiness);
  CHECK(steadiness.jitters.size() == 3 * threads.size());
  CHECK(steadiness.references.size() == 3 * threads.size());
  return machine;
}

cost::CostModel model_of(const cost::Machine& machine, const network::Network& network,
                         training::Job job) {
  return {network,     training::make_iteration(job, network).works,
          {job.batch}, job.threads,
          {&machine},  {1.0}};
}

exec::Dataset random_images() {
  exec::Dataset data;
  data.train = std::make_unique<exec::StoredImages>(exec::ImageFormat{.size = {12, 12}},
                                                    std::vector<std::uint8_t>(6 * 144, 7),
                                                    std::vector<std::uint8_t>{0, 1, 2, 3, 4, 0});
  return data;
}

}  // namespace

TEST_CASE("calibration: covers every row, batch and thread count between those measured",
          "[calibration]") {
  const network::Network network = all_kinds();
  const exec::Dataset data = random_images();
  const cost::Machine machine = measured(network, {1, 3}, &data);
  for (const std::int32_t batch : {1, 2, 3, 5, 6})
    for (const std::int32_t threads : {1, 2, 3})
      for (const std::uint64_t bucket_bytes : {1, 300, 302, 304, 1 << 20}) {
        CAPTURE(batch, threads, bucket_bytes);
        training::Job job;
        job.update.optimizer = network::kOptimizers[bucket_bytes % network::kOptimizers.size()];
        job.batch = batch;
        job.threads = threads;
        job.bucket_bytes = bucket_bytes;
        if (batch > 2) job.accumulate = 2;
        job.noise_scale = batch > 2;
        const cost::CostModel model = model_of(machine, network, job);
        CHECK(model.estimated_rows() == std::vector<std::string>{});
        CHECK(model.extrapolated_rows() == std::vector<std::string>{});
      }
}

TEST_CASE("calibration: batches and threads outside what was measured are named, row by row",
          "[calibration]") {
  const network::Network network = all_kinds();
  const cost::Machine machine = measured(network, {1}, nullptr);
  training::Job job;
  job.batch = 7;
  const training::Iteration iteration = training::make_iteration(job, network);
  // Without images nobody measured the input; updates have no batch.
  CHECK(model_of(machine, network, job).estimated_rows() ==
        std::vector<std::string>{"here: input 12x12x1"});
  const std::vector<std::string> outside = model_of(machine, network, job).extrapolated_rows();
  CHECK(outside.size() == iteration.works.size() - 1 - iteration.buckets.size());
  for (const std::string& row : outside)
    CHECK_THAT(row, Catch::EndsWith("at batch 7, measured from 1 to 6"));

  job.batch = 6;
  job.threads = 2;
  const std::vector<std::string> threads = model_of(machine, network, job).extrapolated_rows();
  CHECK(threads.size() == iteration.works.size() - 1);
  for (const std::string& row : threads)
    CHECK_THAT(row, Catch::EndsWith("with 2 threads, measured with 1 to 1"));
}

TEST_CASE("calibration: a larger network's updates are outside, a second network adds to the first",
          "[calibration]") {
  const network::Network small = all_kinds();
  const network::Network large = exec::make_network(12, 12, 1, exec::dense(64) + exec::kRelu);
  cost::Machine machine = measured(small, {1}, nullptr);
  training::Job job;
  job.batch = 6;
  const auto update_is_named = [&] {
    const std::vector<std::string> rows = model_of(machine, large, job).extrapolated_rows();
    return std::any_of(rows.begin(), rows.end(), [&](const std::string& row) {
      return row.find("update of " + std::to_string(large.flat_count) + " parameters") !=
             std::string::npos;
    });
  };
  CHECK(update_is_named());
  exec::Steadiness steadiness;
  exec::add_network(
      machine, large,
      {.batches = {1, 6}, .reference = [] { return 1.0; }, .say = [](const std::string&) {}},
      steadiness);
  CHECK_FALSE(update_is_named());
  CHECK(model_of(machine, large, job).extrapolated_rows().empty());
  const cost::LayerCost* updates = machine.find("update", "", 1);
  REQUIRE(updates != nullptr);
  CHECK(std::is_sorted(updates->samples.begin(), updates->samples.end(),
                       [](const auto& a, const auto& b) { return a.units < b.units; }));
  CHECK(updates->samples.back().units == static_cast<double>(large.flat_count));
}

TEST_CASE("calibration: passes in turns are those of one thread of them", "[calibration]") {
  training::Job job;
  job.batch = 2;
  job.iterations = 1;
  const std::vector<double> passes = exec::time_passes_in_turns(job, all_kinds(), 7);
  CHECK(passes.size() == 7);
  CHECK(std::all_of(passes.begin(), passes.end(), [](double seconds) { return seconds > 0; }));
}
