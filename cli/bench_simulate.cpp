// SPDX-License-Identifier: Apache-2.0
// lockstep bench simulate: how fast the simulator is, and how much memory it takes.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <sstream>

#include "cli/bench_simulate_json.h"
#include "cli/command_line.h"
#include "cli/cross_check.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/results/result.h"
#include "models/schedule/renumbered.h"
#include "sim/runner/simulation.h"

namespace lockstep::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kFloatBytes = 4;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

options::options_description bench_flags() {
  options::options_description flags(
      "lockstep bench simulate [flags]\n\n"
      "Simulates an all-reduce of float32 and says how long that took. Without --machine only the\n"
      "network costs time.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("algorithm", options::value<std::string>()->default_value("ring"), "of the all-reduce");
  add("ranks", options::value<std::string>()->default_value("1024"),
      "separated by commas: a row for each");
  add("bytes", options::value<std::string>()->default_value("100 MiB"), "of the data");
  add("segment-bytes", options::value<std::string>()->default_value("0"),
      "largest message (0 = a whole chunk)");
  add("topology", options::value<std::string>()->default_value("star"),
      "star or fat-tree: of as many hosts as there are ranks, or more; or as for a job");
  add("placement", options::value<std::string>()->default_value("packed"),
      "ranks on hosts, as for a job: packed, scattered, or a JSON file with each rank's host");
  add("group-by", options::value<std::string>()->default_value("host"),
      "groups of the hierarchical algorithm, as for a job");
  add("servers", options::value<std::string>()->default_value("0"),
      "of the parameter server (0 = all ranks)");
  add("bandwidth", options::value<std::string>()->default_value("10 Gbit/s"),
      "of the cables of star and fat-tree");
  add("latency", options::value<std::string>()->default_value("50 us"), "of each of them");
  add("machine", options::value<std::vector<std::string>>()->composing(),
      "[KIND=]FILE: machine file, from lockstep calibrate");
  add("fidelity", options::value<std::string>()->default_value("flow"), "ideal or flow");
  add("cross-check",
      "instead: the simulated time at every fidelity (ideal, flow, and packet by packet), where "
      "they part and which one is needed. Only the network costs time");
  add("queue-bytes", options::value<std::string>()->default_value("128 KiB"),
      "of packets: that wait at a switch for one link");
  add("minimum-timeout", options::value<std::string>()->default_value("200 ms"),
      "of packets: TCP's before it sends again what nobody acknowledges");
  add("contended",
      "two all-reduces at a time, of which one goes through the ranks in another order, and ranks "
      "that begin at different times, up to a millisecond apart");
  add("fold", options::value<std::string>()->default_value("on"),
      "on: simulate ranks that are alike once; off; bracket: where not all chunks are of one size, "
      "so that no ranks are alike, simulate all with the smaller and all with the larger one: what "
      "is between is certain on an ideal network, an estimate where flows share");
  add("repetitions", options::value<std::string>()->default_value("1"), "of each row");
  add("out", options::value<std::string>(), "write the rows as JSON");
  return flags;
}

std::string text(const options::variables_map& values, const char* flag) {
  return values[flag].as<std::string>();
}

std::vector<std::int32_t> read_ranks(const options::variables_map& values) {
  std::vector<std::int32_t> counts;
  std::istringstream stream(text(values, "ranks"));
  for (std::string word; std::getline(stream, word, ',');) {
    const std::uint64_t ranks = parse_bytes(word, "--ranks");  // a plain whole number
    if (ranks < 1 || ranks > 1 << 21)
      throw ConfigError("--ranks", "expected whole numbers from 1 to 2097152, is " + word);
    counts.push_back(static_cast<std::int32_t>(ranks));
  }
  if (counts.empty()) throw ConfigError("--ranks", "expected at least one number");
  return counts;
}

topology::Topology make_topology(const options::variables_map& values, std::int32_t ranks) {
  const std::string name = text(values, "topology");
  if (name != "star" && name != "fat-tree") return topology::load_topology(name);
  topology::Words words{{"bandwidth", text(values, "bandwidth")},
                        {"latency", text(values, "latency")}};
  const bool is_star = name == "star";
  std::int64_t k = 2;
  while (!is_star && k * k * k / 4 < ranks)
    k += 2;
  words.emplace_back(is_star ? "hosts" : "k", std::to_string(is_star ? ranks : k));
  topology::Topology made = topology::generate_from_words(
      is_star ? topology::Shape::Star : topology::Shape::FatTree, words, "bench simulate");
  made.routing = topology::Routing::Split;
  return made;
}

/// Rank r's neighbour is r + stride in the second one: the least stride from √ranks on that goes
/// through all of them.
std::vector<Rank> other_order(std::int32_t ranks) {
  std::int64_t stride = 2;
  while (stride * stride < ranks || std::gcd(stride, std::int64_t{ranks}) != 1)
    ++stride;
  std::vector<Rank> order;
  for (std::int64_t place = 0; place < ranks; ++place)
    order.push_back(static_cast<Rank>(place * stride % ranks));
  return order;
}

struct Case {
  schedule::Schedule schedule;
  sim::Options options;
};

/// Of `count` elements, about as many that all ranks' chunks are alike.
std::uint64_t even_count(std::uint64_t count, std::int32_t ranks, bool up) {
  const auto p = static_cast<std::uint64_t>(ranks);
  return (count + (up ? p - 1 : 0)) / p * p;
}

/// An all-reduce of `count` elements.
Case make_case(const options::variables_map& values, const topology::Topology& topology,
               std::span<const HostId> host_of_rank, const training::Job& job,
               std::uint64_t count) {
  const auto ranks = static_cast<std::int32_t>(host_of_rank.size());
  const collectives::Algorithm algorithm =
      collectives::parse_algorithm(text(values, "algorithm"), "--algorithm");
  const std::uint64_t segment = parse_bytes(text(values, "segment-bytes"), "--segment-bytes");
  Case made;
  collectives::Operation operation;
  operation.ranks = ranks;
  operation.data = {0, 0, count};
  operation.segment_elements = segment / kFloatBytes;
  if (algorithm == collectives::Algorithm::Hierarchical)
    operation.groups = topology::group_ranks(topology, host_of_rank, job.group_by);
  operation.servers = job.servers;
  made.schedule = collectives::make_schedule(algorithm, operation);
  const std::string fidelity = text(values, "fidelity");
  if (fidelity != "ideal" && fidelity != "flow")
    throw ConfigError("--fidelity", "must be ideal or flow, is \"" + fidelity + "\"");
  made.options.fidelity = fidelity == "ideal" ? sim::Fidelity::Ideal : sim::Fidelity::Flow;
  const std::string fold = text(values, "fold");
  if (fold != "on" && fold != "off" && fold != "bracket")
    throw ConfigError("--fold", "must be on, off or bracket, is \"" + fold + "\"");
  made.options.fold = fold != "off";
  if (!values.count("contended") || ranks < 2) return made;
  // Both work on the same buffer: what becomes of the data is nobody's concern here.
  collectives::Operation second = operation;
  second.scratch = {1, 0, collectives::scratch_elements(algorithm, second.data.count)};
  second.stream = collectives::streams_of(algorithm);
  made.schedule.fragments.push_back(
      {"in another order",
       -1,
       schedule::renumber(make_steps(algorithm, second), other_order(ranks)),
       {}});
  Random random(1);
  for (std::int32_t rank = 0; rank < ranks; ++rank)
    made.options.starts.push_back(Time{static_cast<std::int64_t>(random.below(1'000'000'000))});
  return made;
}

/// Of a job, the fields that are this command's too.
training::Job job_of(const options::variables_map& values) {
  training::Job job;
  for (const char* flag : {"placement", "group-by", "servers"})
    set_job_flag(job, flag, text(values, flag));
  return job;
}

/// Without a file: hosts that cost nothing.
Machines machines_of(const options::variables_map& values, const topology::Topology& topology) {
  Machines machines = read_machines(values);
  if (!machines.empty()) return machines;
  for (const topology::Host& host : topology.hosts)
    machines[host.machine].cores = 1;
  return machines;
}

sim::TcpOptions tcp_options(const options::variables_map& values) {
  sim::TcpOptions tcp;
  tcp.queue_bytes = parse_bytes(text(values, "queue-bytes"), "--queue-bytes");
  tcp.minimum_timeout_seconds = parse_seconds(text(values, "minimum-timeout"), "--minimum-timeout");
  if (tcp.minimum_timeout_seconds < 1e-6)
    throw ConfigError("--minimum-timeout",
                      "must be at least 1 us, is \"" + text(values, "minimum-timeout") + "\"");
  return tcp;
}

std::uint64_t elements(const options::variables_map& values) {
  const std::uint64_t bytes = parse_bytes(text(values, "bytes"), "--bytes");
  if (bytes % kFloatBytes != 0)
    throw ConfigError("--bytes", "expected whole floats of 4 bytes, is " + text(values, "bytes"));
  return bytes / kFloatBytes;
}

SimulatorRow measure(const options::variables_map& values, std::int32_t ranks, int repetitions) {
  const Clock::time_point start = Clock::now();
  const topology::Topology topology = make_topology(values, ranks);
  const training::Job job = job_of(values);
  const std::vector<HostId> host_of_rank =
      topology::place(topology, ranks, job.placement, "--placement");
  const bool brackets = text(values, "fold") == "bracket";
  const std::uint64_t count = elements(values);
  const Case made = make_case(values, topology, host_of_rank, job,
                              brackets ? even_count(count, ranks, true) : count);
  const Machines machines = machines_of(values, topology);
  const cost::CostModel cost = make_cost_model(topology, host_of_rank, machines, {});
  SimulatorRow row{.algorithm = text(values, "algorithm"),
                   .topology = topology.name,
                   .ranks = ranks,
                   .bytes = parse_bytes(text(values, "bytes"), "--bytes"),
                   .contended = values.count("contended") > 0};
  row.setup_seconds = seconds_since(start);
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const Clock::time_point begin = Clock::now();
    const sim::SimulatedRun run =
        sim::simulate(made.schedule, cost, topology, host_of_rank, made.options);
    row.run_seconds.push_back(seconds_since(begin));
    row.messages = run.messages;
    row.events = run.events;
    row.simulated_ranks = run.simulated_ranks;
    row.simulated_seconds = run.end_seconds();
  }
  if (brackets) {
    const Case smaller =
        make_case(values, topology, host_of_rank, job, even_count(count, ranks, false));
    row.least_seconds =
        sim::simulate(smaller.schedule, cost, topology, host_of_rank, smaller.options)
            .end_seconds();
    const bool is_even = even_count(count, ranks, true) == even_count(count, ranks, false);
    row.is_bound = is_even || made.options.fidelity == sim::Fidelity::Ideal;
  }
  row.whole_seconds = seconds_since(start);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  row.peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return row;
}

void print(const SimulatorRow& row) {
  std::printf(
      "%9d %9d %14llu %12s %10s %10s %9.3f %10s\n", row.ranks, row.simulated_ranks,
      static_cast<unsigned long long>(row.messages), format_seconds(row.simulated_seconds).c_str(),
      format_seconds(row.setup_seconds).c_str(), format_seconds(row.median_run_seconds()).c_str(),
      row.messages_per_second() / 1e6, format_bytes(static_cast<double>(row.peak_bytes)).c_str());
  if (row.least_seconds)
    std::printf("%9s with the smaller chunks %.9g s, with the larger %.9g s: %s\n", "",
                *row.least_seconds, row.simulated_seconds,
                row.is_bound ? "the exact time is between" : "an estimate, not a bound");
  std::fflush(stdout);
}

void check_fidelities(const options::variables_map& values, std::int32_t ranks) {
  const topology::Topology topology = make_topology(values, ranks);
  const training::Job job = job_of(values);
  const std::vector<HostId> host_of_rank =
      topology::place(topology, ranks, job.placement, "--placement");
  const Case made = make_case(values, topology, host_of_rank, job, elements(values));
  if (values.count("machine") || values.count("contended"))
    throw ConfigError("--cross-check", "cannot be given together with --machine or --contended");
  Machines machines = machines_of(values, topology);
  for (auto& [kind, machine] : machines)
    machine.message.window_bytes = std::uint64_t{1} << 40;  // as packets: nobody waits for a Recv
  const cost::CostModel cost = make_cost_model(topology, host_of_rank, machines, {});
  std::printf("%d ranks, %s\n", ranks, made.schedule.name.c_str());
  print(cross_check(made.schedule, cost, topology, host_of_rank, tcp_options(values)));
}

}  // namespace

int run_bench_simulate(const Arguments& arguments) {
  const options::options_description flags = bench_flags();
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  check_outputs(values, {"out"});
  const auto repetitions = static_cast<int>(whole_number(values, "repetitions", 1, 1000));
  if (values.count("cross-check")) {
    for (const std::int32_t ranks : read_ranks(values))
      check_fidelities(values, ranks);
    return kFine;
  }
  std::vector<SimulatorRow> rows;
  std::printf("%9s %9s %14s %12s %10s %10s %9s %10s\n", "ranks", "of them", "messages", "simulated",
              "set-up", "run", "M msg/s", "peak");
  for (const std::int32_t ranks : read_ranks(values)) {
    rows.push_back(measure(values, ranks, repetitions));
    print(rows.back());
  }
  if (values.count("out")) results::write_file(values["out"].as<std::string>(), to_json(rows));
  return kFine;
}

}  // namespace lockstep::cli
