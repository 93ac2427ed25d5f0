// SPDX-License-Identifier: Apache-2.0
#include "cli/calibrate_hosts.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "exec/calibration/machine_fit.h"
#include "exec/calibration/message_timing.h"
#include "exec/calibration/row_timing.h"
#include "exec/launch/local_launch.h"
#include "exec/testbed/scaled.h"
#include "models/base/errors.h"
#include "models/cost/fit.h"
#include "models/network/network.h"

namespace lockstep::cli {

training::Job reference_job(std::int32_t batch) {
  training::Job job;
  job.batch = batch;
  job.iterations = 1;
  return job;
}

namespace {

constexpr std::int32_t kPasses = 60;
constexpr int kRounds = 3;

}  // namespace

std::vector<double> time_passes() {
  return exec::time_rows_on_noise(reference_job(16), network::load_network(kReference), kPasses)
      .passes;
}

double measure_turn_dispersion() {
  const network::Network network = network::load_network(kReference);
  std::vector<double> dispersions;
  for (int round = 0; round < kRounds; ++round)
    dispersions.push_back(
        exec::robust_dispersion(exec::time_passes_in_turns(reference_job(16), network, kPasses)));
  return cost::median(std::move(dispersions));
}

std::string measure_with(std::int32_t ranks, const Arguments& arguments,
                         const exec::Testbed* testbed) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("lockstep-measured-" + std::to_string(getpid())))
          .string();
  exec::LocalLaunch launch;
  launch.ranks = ranks;
  launch.arguments = {"calibrate", "--measured-out", path};
  launch.arguments.insert(launch.arguments.end(), arguments.begin(), arguments.end());
  if (testbed != nullptr) {
    launch.listener = testbed->listen(0, exec::address_of(0));
    launch.enter = [&](Rank rank) { return testbed->enter(rank); };
  }
  const int status = exec::launch_local_ranks(launch);
  if (status != kFine)
    throw ConfigError("calibrate", "the processes that exchange messages ended with status " +
                                       std::to_string(status));
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  std::filesystem::remove(path);
  return text.str();
}

namespace {

/// How long messages take follows from a cable that is faster than the hosts, what they cost the
/// processors from one that isn't: so they come in the portions that a real one makes. Much of that
/// the kernel does in its own time, which it takes from whoever is running.
cost::MessageCost measure_messages() {
  const auto over = [](const std::string& bandwidth) {
    const exec::Scaled scaled = exec::two_hosts(bandwidth);
    const exec::Testbed testbed(scaled.topology, true);
    return exec::decode_samples(measure_with(2, {}, &testbed));
  };
  exec::MessageSamples samples = over("1 Gbit/s");
  samples.ping_pongs = over("100 Gbit/s").ping_pongs;
  exec::charge_kernel(samples.large);
  cost::MessageCost message = exec::fit_messages(samples);
  message.window_bytes = exec::tcp_window_bytes();
  return message;
}

/// Computing in two hosts that have little of a processor, and what that says of a host that has
/// next to nothing (turns.h).
void measure_quota(cost::Machine& machine) {
  constexpr double kCores = 0.4;
  const exec::Scaled scaled = exec::two_hosts("1 Gbit/s", kCores);
  std::vector<double> slowdowns;
  for (int round = 0; round < kRounds; ++round) {
    const double alone = cost::median(time_passes());
    const exec::Testbed testbed(scaled.topology, true);
    std::istringstream text(measure_with(2, {"--passes", "yes"}, &testbed));
    const std::vector<double> seconds{std::istream_iterator<double>(text), {}};
    slowdowns.push_back(cost::median(seconds) * kCores / alone - 1);
  }
  machine.quota_slowdown = std::max(0.0, cost::median(std::move(slowdowns))) / (1 - kCores);
}

}  // namespace

void measure_between_hosts(cost::Machine& machine) {
  machine.between_hosts = measure_messages();
  measure_quota(machine);
}

}  // namespace lockstep::cli
