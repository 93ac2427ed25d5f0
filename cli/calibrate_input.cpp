// SPDX-License-Identifier: Apache-2.0
#include "cli/calibrate_input.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "exec/calibration/machine_fit.h"
#include "exec/calibration/network_timing.h"
#include "exec/calibration/row_timing.h"
#include "exec/data/dataset.h"
#include "exec/drawing/drawn_set.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

/// A folder of drawn images for the time of the calibration.
class DrawnFolder {
 public:
  DrawnFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("lockstep-images-" + std::to_string(getpid()))) {
    constexpr std::int32_t kImages = 400;
    exec::draw_set({.images = kImages, .scene = {}}, path_.string(),
                   std::thread::hardware_concurrency());
  }
  ~DrawnFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  DrawnFolder(const DrawnFolder&) = delete;
  DrawnFolder& operator=(const DrawnFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The job's input at each batch, alone and beside a memory stream.
std::vector<exec::RowSamples> time_batches(training::Job job, const exec::Dataset& data,
                                           const std::vector<std::int32_t>& batches,
                                           const cost::Machine& machine) {
  std::vector<exec::RowSamples> samples;
  for (const std::int32_t batch : batches) {
    if (data.train->count() < batch) break;
    job.batch = batch;
    const std::int32_t passes = std::clamp(1200 / batch, 9, 60);
    exec::RowSamples& sample = samples.emplace_back();
    sample.batch = batch;
    sample.alone = {exec::time_input(job, data, passes)};
    if (machine.cores < 2 || !exec::is_measured_beside(batches, batch)) continue;
    exec::MemoryStream stream;
    const exec::Neighbour neighbour([&stream] { stream.run(); });
    sample.beside = {exec::time_input(job, data, passes)};
  }
  return samples;
}

}  // namespace

void calibrate_input(const network::Network& network, const std::string& folder,
                     const std::vector<std::int32_t>& batches,
                     const std::vector<std::int32_t>& threads, cost::Machine& machine) {
  using enum network::InputKind;
  std::optional<DrawnFolder> drawn;
  if (folder.empty()) drawn.emplace();
  struct Variant {
    network::InputKind input;
    bool augment;
  };
  for (const Variant variant : {Variant{Jpeg, false}, Variant{Jpeg, true}, Variant{Pixels, true}}) {
    std::fprintf(stderr, "  %s, input%s%s\n", network.name.c_str(),
                 variant.input == Jpeg ? ", jpeg" : "", variant.augment ? ", augmented" : "");
    training::Job job;
    job.data = drawn ? drawn->path() : folder;
    job.test_share = 0;
    job.input = variant.input;
    job.augment = variant.augment;
    job.cache = variant.input == Pixels ? "memory" : "";
    exec::Dataset data = exec::open_dataset(job, network.input, false);
    exec::fill_cache(data, job, std::thread::hardware_concurrency());
    const std::vector<exec::RowSamples> samples = time_batches(job, data, batches, machine);
    if (samples.empty()) throw ConfigError(job.data, "has fewer images than the smallest batch");
    const network::WorkTable works{{.input = job.input, .augment = job.augment}};
    for (const std::int32_t count : threads)
      exec::add_rows(
          machine, works,
          {.network = network, .threads = count, .neighbour = machine.core_memory_bytes_per_second},
          samples);
  }
}

}  // namespace lockstep::cli
