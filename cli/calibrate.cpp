// SPDX-License-Identifier: Apache-2.0
// lockstep calibrate: measures this machine and writes the cost model's parameters.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <thread>

#include "cli/calibrate_hosts.h"
#include "cli/calibrate_input.h"
#include "cli/codec_list.h"
#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/rank_flags.h"
#include "exec/calibration/codec_timing.h"
#include "exec/calibration/machine_fit.h"
#include "exec/calibration/message_timing.h"
#include "exec/calibration/network_timing.h"
#include "exec/calibration/row_timing.h"
#include "exec/calibration/transport_timing.h"
#include "exec/launch/binding.h"
#include "exec/launch/local_launch.h"
#include "exec/testbed/scaled.h"
#include "exec/testbed/testbed.h"
#include "models/base/errors.h"
#include "models/cost/fit.h"
#include "models/results/result.h"

namespace lockstep::cli {

namespace {

struct PlannedNetwork {
  network::Network network;
  std::vector<std::int32_t> batches;
  bool asked_for_batches = false;
  exec::Dataset noise;  // what layers take does not depend on what images show
};

struct Plan {
  std::vector<PlannedNetwork> networks;
  std::vector<std::int32_t> threads;
  std::string data;  // folder of JPEG files; "": drawn ones
  network::Network reference;
  std::vector<compression::Codec> codecs = usual_codecs();
};

void say(const std::string& what) {
  std::fprintf(stderr, "  %s\n", what.c_str());
}

/// Seconds of one iteration, always the same: how much it differs from one time of the calibration
/// to another is the machine's drift.
double measure_reference(const Plan& plan) {
  const exec::RowTimes times = exec::time_rows_on_noise(reference_job(32), plan.reference, 9);
  return std::accumulate(times.rows.begin(), times.rows.end(), 0.0);
}

/// Batches that are worth their time: unless somebody asked for them, no pass longer than five
/// seconds.
std::vector<std::int32_t> batches_for(const PlannedNetwork& planned, std::int32_t threads,
                                      const cost::Machine& machine) {
  constexpr double kLongest = 5;
  std::vector<std::int32_t> batches = planned.batches;
  while (!planned.asked_for_batches && batches.size() > 1 &&
         exec::expected_seconds(planned.network, batches.back(), threads, machine) > kLongest)
    batches.pop_back();
  if (batches.size() < planned.batches.size())
    std::fprintf(stderr, "  %s: batches above %d would take long; --batches measures them\n",
                 planned.network.name.c_str(), batches.back());
  return batches;
}

void calibrate_network(const Plan& plan, const PlannedNetwork& planned, std::int32_t threads,
                       cost::Machine& machine, exec::Steadiness& steadiness) {
  const exec::NetworkTiming timing{.batches = batches_for(planned, threads, machine),
                                   .threads = threads,
                                   .data = &planned.noise,
                                   .reference = [&plan] { return measure_reference(plan); },
                                   .say = say};
  exec::add_network(machine, planned.network, timing, steadiness);
}

/// Each figure the median of several measurements.
std::vector<cost::MessageSample> medians(
    const std::vector<std::vector<cost::MessageSample>>& measurements) {
  std::vector<cost::MessageSample> samples = measurements.front();
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (double cost::MessageSample::*figure :
         {&cost::MessageSample::send_seconds, &cost::MessageSample::store_seconds,
          &cost::MessageSample::add_seconds, &cost::MessageSample::round_seconds}) {
      std::vector<double> values;
      for (const auto& measurement : measurements)
        values.push_back(measurement.at(i).*figure);
      samples[i].*figure = cost::median(std::move(values));
    }
  return samples;
}

/// Round after round, so that a minute in which the machine is disturbed spoils no median.
void measure_exchanges(cost::Machine& machine) {
  struct Setting {
    IntraHost how;
    const char* spread;
    std::int32_t ranks;
    std::vector<cost::MessageSample> cost::ExchangeCosts::*costs;
    std::vector<std::vector<cost::MessageSample>> measurements{};
  };
  std::vector<Setting> settings;
  const bool several = machine.cores >= 2;
  for (const IntraHost how : {IntraHost::Tcp, IntraHost::Unix, IntraHost::SharedMemory}) {
    settings.push_back({how, "together", several ? 4 : 2, &cost::ExchangeCosts::together});
    if (!several) continue;
    settings.push_back({how, "apart", 2, &cost::ExchangeCosts::apart});
    settings.push_back({how, "crowded", 4, &cost::ExchangeCosts::crowded});
  }
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    std::fprintf(stderr, "  round %d of %d\n", round + 1, kRounds);
    for (Setting& setting : settings)
      setting.measurements.push_back(exec::decode_message_samples(measure_with(
          setting.ranks, {"--exchange", setting.spread, "--intra-host", name_of(setting.how)})));
  }
  for (const Setting& setting : settings)
    machine.exchanges[setting.how].*setting.costs = medians(setting.measurements);
}

/// One of them.
int measure_as_rank(const options::variables_map& values) {
  exec::RankOptions rank =
      rank_options(values, static_cast<std::int32_t>(whole_number(values, "ranks", 1, 4)));
  if (values.count("intra-host"))
    rank.intra_host = parse_intra_host(values["intra-host"].as<std::string>(), "--intra-host");
  exec::Session session(rank, "");
  std::string measured;
  if (values.count("passes")) {
    std::ostringstream text;
    for (const double seconds : time_passes())
      text << seconds << ' ';
    measured = text.str();
  } else if (values.count("exchange")) {
    const std::string spread = values["exchange"].as<std::string>();
    measured =
        exec::encode(exec::time_exchanges(session, spread == "apart"      ? exec::Spread::Apart
                                                   : spread == "together" ? exec::Spread::Together
                                                                          : exec::Spread::Crowded));
  } else {
    exec::bind_to_share(session, 1);  // as ranks that train are
    measured = exec::encode(exec::time_messages(session));
  }
  if (rank.rank == 0) results::write_file(values["measured-out"].as<std::string>(), measured);
  session.leave();
  return kFine;
}

/// 1, 2, 4, … and all cores: between two of them the cost model interpolates.
std::vector<std::int32_t> usual_threads() {
  const auto cores = static_cast<std::int32_t>(std::thread::hardware_concurrency());
  std::vector<std::int32_t> threads;
  for (std::int32_t count = 1; count < cores; count *= 2)
    threads.push_back(count);
  threads.push_back(std::max(cores, 1));
  return threads;
}

/// "fashion-cnn", or with batches of its own: "fashion-cnn:16,32".
PlannedNetwork plan_network(const std::string& text, const std::vector<std::int32_t>& batches) {
  PlannedNetwork planned;
  const std::size_t colon = text.rfind(':');
  const bool has_batches = colon != std::string::npos &&
                           text.find_first_not_of("0123456789,", colon + 1) == std::string::npos;
  planned.network = network::load_network(text.substr(0, has_batches ? colon : text.npos));
  planned.batches = has_batches ? number_list(text.substr(colon + 1), "--network") : batches;
  planned.asked_for_batches = has_batches;
  // More than the caches hold, as in training.
  constexpr std::uint64_t kBytes = 64 << 20;
  const auto images = static_cast<std::int32_t>(kBytes / planned.network.input.elements());
  planned.noise = exec::noise_images(planned.network, std::max(images, 2 * planned.batches.back()));
  return planned;
}

Plan make_plan(const options::variables_map& values) {
  Plan plan;
  const auto names = values.count("network") ? values["network"].as<std::vector<std::string>>()
                                             : std::vector<std::string>{"fashion-cnn", "lenet5"};
  plan.threads = values.count("threads")
                     ? number_list(values["threads"].as<std::string>(), "--threads")
                     : usual_threads();
  const bool asked = values.count("batches") > 0;
  const std::vector<std::int32_t> batches = number_list(
      asked ? values["batches"].as<std::string>() : "1,2,4,8,16,32,64,128,256", "--batches");
  plan.reference = network::load_network(kReference);
  for (const std::string& name : names) {
    plan.networks.push_back(plan_network(name, batches));
    plan.networks.back().asked_for_batches |= asked;
  }
  if (values.count("codecs"))
    plan.codecs = codec_list({values["codecs"].as<std::string>()}, "--codecs");
  if (values.count("data")) plan.data = values["data"].as<std::string>();
  if (!plan.data.empty() && !exec::find_image_files(plan.data))
    throw ConfigError(plan.data, "expected a folder of JPEG files named cat.0.jpg or cat/….jpg");
  return plan;
}

void print_messages(const char* which, const cost::MessageCost& message) {
  std::printf("%s: %s to send, %s to receive, latency %s; per KiB %s, %s; residual %.1f %%\n",
              which, format_seconds(message.send_overhead_seconds).c_str(),
              format_seconds(message.receive_overhead_seconds).c_str(),
              format_seconds(message.latency_seconds).c_str(),
              format_seconds(1024 * message.send_core_seconds_per_byte).c_str(),
              format_seconds(1024 * message.receive_core_seconds_per_byte).c_str(),
              100 * message.relative_residual);
}

void print_machine(const cost::Machine& machine) {
  std::printf("%s: %.0f cores, %.0f GFLOP/s each, memory %s, loopback %s\n", machine.name.c_str(),
              machine.cores, machine.flops_per_core / 1e9,
              format_bandwidth(machine.memory_bytes_per_second).c_str(),
              format_bandwidth(machine.loopback_bytes_per_second).c_str());
  print_messages("messages", machine.message);
  std::printf("adding what arrives: per KiB %s\n",
              format_seconds(1024 * machine.combine_seconds_per_byte).c_str());
  std::printf(
      "jitter between iterations %.1f %%, drift between runs %.1f %%, variance / mean of "
      "computing in turns %s\n",
      100 * machine.iteration_jitter, 100 * machine.run_to_run_residual,
      format_seconds(machine.turn_dispersion).c_str());
  std::printf("%-48s %-9s %7s %10s %10s %9s\n", "row", "", "threads", "fixed", "per unit",
              "residual");
  for (const cost::LayerCost& layer : machine.layers)
    std::printf("%-48s %-9s %7d %10s %10s %7.1f %%\n", layer.signature.c_str(),
                layer.direction.c_str(), layer.threads, format_seconds(layer.seconds.fixed).c_str(),
                format_seconds(layer.seconds.per_unit).c_str(),
                100 * layer.seconds.relative_residual);
}

cost::Machine measure(const Plan& plan) {
  cost::Machine machine;
  const results::Provenance now = provenance(0);
  machine.name = now.host;
  machine.date = now.time;
  machine.origin = cost::Origin::Measured;
  machine.cores = static_cast<double>(std::thread::hardware_concurrency());
  std::fprintf(stderr, "memory and arithmetic\n");
  machine.flops_per_core = exec::peak_flops();
  machine.core_memory_bytes_per_second = exec::memory_bandwidth(1);
  machine.memory_bytes_per_second =
      exec::memory_bandwidth(static_cast<std::int32_t>(machine.cores));
  std::fprintf(stderr, "messages between two processes\n");
  exec::add_messages(machine, exec::decode_samples(measure_with(2, {})));
  std::fprintf(stderr, "messages between ranks of one host that only wait\n");
  measure_exchanges(machine);
  machine.message.window_bytes = exec::tcp_window_bytes();
  exec::Steadiness steadiness;
  for (const PlannedNetwork& planned : plan.networks)
    for (const std::int32_t threads : plan.threads)
      calibrate_network(plan, planned, threads, machine, steadiness);
  for (const PlannedNetwork& planned : plan.networks)
    if (planned.network.input.channels == 3 || !plan.data.empty())
      calibrate_input(planned.network, plan.data, planned.batches, plan.threads, machine);
  exec::add_codecs(machine, plan.codecs, say);
  machine.iteration_jitter = cost::median(std::move(steadiness.jitters));
  std::fprintf(stderr, "computing in turns\n");
  machine.turn_dispersion = measure_turn_dispersion();
  machine.run_to_run_residual = exec::relative_spread(steadiness.references);
  return machine;
}

}  // namespace

int run_calibrate(const Arguments& arguments) {
  options::options_description flags(
      "lockstep calibrate --out machine.json [flags]\n\n"
      "Measures every layer of the networks at several batches and thread counts, alone and\n"
      "beside a thread that loads the memory; loading images; update; and messages between two\n"
      "local processes. Runs no job of several ranks. Leave the machine alone meanwhile. Between\n"
      "what is measured predictions interpolate, outside they say so.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("out", options::value<std::string>(), "the machine file to write");
  add("network", options::value<std::vector<std::string>>()->composing(),
      "whose layers to measure; may be repeated, and have batches of its own: lenet5:16,32,64 "
      "(default fashion-cnn, lenet5)");
  add("threads", options::value<std::string>(),
      "computing threads (default: 1, 2, 4, … and all cores)");
  add("batches", options::value<std::string>(),
      "images per pass of one rank (default: 1,2,4, … 256, without those that take over 5 s)");
  add("data", options::value<std::string>(),
      "folder of JPEG files to measure loading with (default: drawn ones, for networks that take "
      "3 channels)");
  add("codecs", options::value<std::string>(),
      "codecs to measure, with commas between them (default: all, with their usual parameters)");
  add("codecs-into", options::value<std::string>(),
      "only measure codecs, and add them to this machine file");
  add("between-hosts", options::value<std::string>(),
      "only measure messages between two hosts and computing under a quota, in a testbed on this "
      "machine (as root), and add them to this machine file");
  options::options_description all;
  all.add(flags);
  add_rank_options(all);
  add_launcher_options(all);
  auto hidden = all.add_options();
  for (const char* flag : {"ranks", "measured-out", "exchange", "passes", "intra-host"})
    hidden(flag, options::value<std::string>());
  const options::variables_map values = parse(all, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (values.count("measured-out")) return measure_as_rank(values);
  if (!values.count("out")) throw ConfigError("--out", "expected the machine file to write");
  check_outputs(values, {"out"});
  cost::Machine machine;
  if (values.count("codecs-into")) {
    machine = cost::load_machine(values["codecs-into"].as<std::string>());
    const std::vector<compression::Codec> codecs =
        values.count("codecs") ? codec_list({values["codecs"].as<std::string>()}, "--codecs")
                               : usual_codecs();
    exec::add_codecs(machine, codecs, say);
  } else if (values.count("between-hosts")) {
    machine = cost::load_machine(values["between-hosts"].as<std::string>());
    measure_between_hosts(machine);
    print_messages("messages between hosts", *machine.between_hosts);
    std::printf("computing under a small quota: %.1f %% more processor time\n",
                100 * machine.quota_slowdown);
  } else {
    machine = measure(make_plan(values));
    print_machine(machine);
  }
  results::write_file(values["out"].as<std::string>(), cost::to_json(machine));
  return kFine;
}

}  // namespace lockstep::cli
