// SPDX-License-Identifier: Apache-2.0
// lockstep bench allreduce: times all-reduces over sizes and algorithms, predicted beside measured.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "cli/collective_prediction.h"
#include "cli/command_line.h"
#include "cli/rank_flags.h"
#include "exec/calibration/collective_timing.h"
#include "exec/launch/binding.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/collectives/algorithm.h"

namespace lockstep::cli {

namespace {

options::options_description bench_flags() {
  options::options_description flags("lockstep bench allreduce [flags]\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("ranks", options::value<std::string>(), "ranks (default 2)");
  add("sizes", options::value<std::string>(),
      "bytes of the data, separated by commas (default 1KiB,64KiB,1MiB,16MiB,100MB)");
  add("algorithm", options::value<std::string>(), "algorithms, separated by commas, or all");
  add("segment-bytes", options::value<std::string>(), "a chunk travels in pieces of at most this");
  add("servers", options::value<std::string>(), "(default all)");
  add("intra-host", options::value<std::string>(), "tcp, unix or shm (default tcp)");
  add("machine", options::value<std::vector<std::string>>()->composing(), "machine file");
  add("repetitions", options::value<std::string>(), "(default 7)");
  add_rank_options(flags);
  return flags;
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    list.push_back(word);
  return list;
}

std::int32_t back_to_back(std::uint64_t bytes) {
  return bytes <= 64 << 10 ? 200 : bytes <= 1 << 20 ? 50 : bytes <= 16 << 20 ? 10 : 3;
}

}  // namespace

int run_bench_allreduce(const Arguments& arguments) {
  options::options_description all = bench_flags();
  add_launcher_options(all);
  const options::variables_map values = parse(all, arguments);
  if (values.count("help")) {
    std::cout << bench_flags();
    return kFine;
  }
  const auto ranks =
      static_cast<std::int32_t>(values.count("ranks") ? whole_number(values, "ranks", 1, 4096) : 2);
  if (!is_rank(values) && ranks > 1) {
    Arguments command{"bench", "allreduce"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return launch_ranks(command, values, ranks);
  }
  std::vector<std::uint64_t> sizes;
  for (const std::string& word : words(values.count("sizes") ? values["sizes"].as<std::string>()
                                                             : "1KiB,64KiB,1MiB,16MiB,100MB"))
    sizes.push_back(parse_bytes(word, "--sizes"));
  std::vector<collectives::Algorithm> algorithms;
  for (const std::string& word :
       words(values.count("algorithm") ? values["algorithm"].as<std::string>() : "ring"))
    algorithms.push_back(collectives::parse_algorithm(word, "--algorithm"));
  std::vector<std::uint64_t> segments{256 << 10};
  if (values.count("segment-bytes")) {
    segments.clear();
    for (const std::string& word : words(values["segment-bytes"].as<std::string>()))
      segments.push_back(parse_bytes(word, "--segment-bytes"));
  }
  const auto repetitions = static_cast<std::int32_t>(
      values.count("repetitions") ? whole_number(values, "repetitions", 1, 1000) : 7);
  struct Case {
    std::uint64_t bytes;
    collectives::Algorithm algorithm;
    std::uint64_t segment;
    schedule::Schedule schedule;
  };
  std::vector<Case> cases;
  std::uint64_t floats = 0;
  for (const std::uint64_t bytes : sizes)
    for (const collectives::Algorithm algorithm : algorithms)
      for (const std::uint64_t segment : segments) {
        collectives::Operation operation{.ranks = ranks,
                                         .data = {0, 0, bytes / 4},
                                         .scratch = {},
                                         .segment_elements = segment / 4,
                                         .groups = {}};
        operation.servers =
            values.count("servers")
                ? static_cast<std::int32_t>(whole_number(values, "servers", 0, ranks))
                : 0;
        cases.push_back(
            {bytes, algorithm, segment, collectives::make_schedule(algorithm, operation)});
        floats = std::max(floats, exec::floats_for(cases.back().schedule));
      }
  exec::RankOptions rank = rank_options(values, ranks);
  if (values.count("intra-host"))
    rank.intra_host = parse_intra_host(values["intra-host"].as<std::string>(), "--intra-host");
  const Machines machines = read_machines(values);
  Cluster cluster;
  cluster.topology = topology::load_topology("one_host");
  cluster.host_of_rank.assign(static_cast<std::size_t>(ranks), 0);
  cluster.intra_host = rank.intra_host;
  cluster.machines = &machines;
  exec::Session session(rank, "");
  if (!values.count("no-binding")) exec::bind_to_share(session, 1);
  const std::span<std::byte> bytes = session.allocate(floats * sizeof(float));
  const std::span<float> memory(reinterpret_cast<float*>(bytes.data()), floats);
  for (const Case& each : cases) {
    exec::CollectiveTiming timing = exec::time_all_reduce(session, each.schedule, memory,
                                                          repetitions, back_to_back(each.bytes));
    if (session.rank() != 0) continue;
    const CollectivePrediction prediction =
        machines.empty() ? CollectivePrediction{} : predict_collective(each.schedule, cluster);
    std::sort(timing.seconds.begin(), timing.seconds.end());
    const std::size_t n = timing.seconds.size();
    std::printf(
        "%12llu %-20s %8llu  median %10.1f q1 %10.1f q3 %10.1f us  predicted %10.1f  errors %llu "
        "%s\n",
        static_cast<unsigned long long>(each.bytes), collectives::name_of(each.algorithm).c_str(),
        static_cast<unsigned long long>(each.segment), 1e6 * timing.seconds[n / 2],
        1e6 * timing.seconds[n / 4], 1e6 * timing.seconds[n * 3 / 4], 1e6 * prediction.seconds,
        static_cast<unsigned long long>(timing.errors), prediction.dominated_by.c_str());
    std::fflush(stdout);
  }
  session.leave();
  return kFine;
}

}  // namespace lockstep::cli
