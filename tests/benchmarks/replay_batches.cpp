// SPDX-License-Identifier: Apache-2.0
// Trains on batches from a file, over and over, and prints the loss of each iteration: the other
// half of same_learning.py.
//
// usage: replay_batches NETWORK PARAMETERS BATCHES ITERATIONS THREADS LEARNING_RATE MOMENTUM
// BATCHES is a safetensors file with "images", batches × images × channels × height × width, and
// "labels", batches × images.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "exec/training/checkpoint.h"
#include "exec/training/learner.h"
#include "exec/training/safetensors_json.h"
#include "models/base/errors.h"
#include "models/training/iteration.h"

using namespace lockstep;

namespace {

/// Images channel by channel → row, column, channel.
std::vector<float> channels_last(const std::vector<float>& from, const network::Shape& shape) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const std::size_t positions = shape.elements() / channels;
  std::vector<float> to(from.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t image = i / shape.elements();
    to[i] = from[image * shape.elements() + i % channels * positions + i / channels % positions];
  }
  return to;
}

void replay(const char* const* values) {
  const network::Network network = network::load_network(values[1]);
  exec::SafetensorsReader file(values[3]);
  const exec::TensorInfo* info = file.find("labels");
  if (info == nullptr || info->shape.size() != 2)
    throw ConfigError(values[3], "expected \"labels\" of batches × images");
  const std::uint64_t batches = info->shape[0], batch = info->shape[1];
  const auto size = [](std::int32_t value) { return static_cast<std::uint64_t>(value); };
  const std::vector<float> images =
      channels_last(file.read("images", {batches, batch, size(network.input.channels),
                                         size(network.input.height), size(network.input.width)}),
                    network.input);
  std::vector<std::int32_t> labels;
  for (const float label : file.read("labels", info->shape))
    labels.push_back(static_cast<std::int32_t>(label));

  training::Job job;
  job.batch = static_cast<std::int32_t>(batch);
  job.iterations = std::atoi(values[4]);
  job.threads = std::atoi(values[5]);
  job.learning_rate = std::atof(values[6]);
  job.momentum = std::atof(values[7]);
  exec::Learner learner(job, network, 0);
  exec::load_parameters(values[2], network, learner.parameters());
  const training::Iteration iteration = training::make_iteration(job, network);
  for (std::int32_t i = 0; i < job.iterations; ++i) {
    const std::uint64_t which = static_cast<std::uint64_t>(i) % batches * batch;
    learner.bind(images.data() + which * network.input.elements(), labels.data() + which, i);
    for (const network::Work& work : iteration.works)
      if (work.kind != network::WorkKind::Input) learner.compute(work);
    std::printf("%.9g\n", learner.loss_sums().back() / static_cast<double>(batch));
  }
}

}  // namespace

int main(int count, char** values) {
  if (count != 8) {
    std::fputs(
        "usage: replay_batches NETWORK PARAMETERS BATCHES ITERATIONS THREADS LEARNING_RATE "
        "MOMENTUM\n",
        stderr);
    return 2;
  }
  try {
    replay(values);
  } catch (const ConfigError& error) {
    std::fprintf(stderr, "replay_batches: %s\n", error.what());
    return 2;
  }
  return 0;
}
