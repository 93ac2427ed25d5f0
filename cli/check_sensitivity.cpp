// SPDX-License-Identifier: Apache-2.0
// lockstep check-sensitivity: does every input that should move the answer move it?
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>

#include "cli/command_line.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

/// All that a prediction is made from, and a part of it that can be made worse.
struct Inputs {
  training::Job job;
  network::Network network;
  topology::Topology topology;
  Machines machines;

  results::Result predict() const {
    return cli::predict(resolve(job, network, topology), machines).result;
  }
};

struct Input {
  std::string name;
  /// Whether anything in this case depends on it, as far as can be known without simulating.
  bool is_used = true;
  /// Makes it worse by a factor above 1: slower, longer, fewer.
  std::function<void(Inputs&, double)> worsen;
};

/// A cost: it grows.
template <typename Member>
Input cost_input(const std::string& kind, const std::string& name, bool is_used, Member member) {
  return {"machine" + (kind.empty() ? "" : " " + kind) + ": " + name, is_used,
          [kind, member](Inputs& inputs, double factor) {
            std::invoke(member, inputs.machines.at(kind)) *= factor;
          }};
}

/// A capacity: it shrinks.
template <typename Member>
Input rate_input(const std::string& kind, const std::string& name, bool is_used, Member member) {
  return {"machine" + (kind.empty() ? "" : " " + kind) + ": " + name, is_used,
          [kind, member](Inputs& inputs, double factor) {
            std::invoke(member, inputs.machines.at(kind)) /= factor;
          }};
}

void add_machine(std::vector<Input>& list, const std::string& kind, const cost::Machine& machine,
                 bool communicates, bool shares_hosts) {
  using cost::Machine;
  const cost::MessageCost& message = machine.message;
  list.push_back({"machine" + (kind.empty() ? "" : " " + kind) + ": time of computing", true,
                  [kind](Inputs& inputs, double factor) {
                    cost::scale_computing(inputs.machines.at(kind), factor);
                  }});
  list.push_back(rate_input(kind, "memory_bandwidth", machine.memory_bytes_per_second > 0,
                            &Machine::memory_bytes_per_second));
  list.push_back(rate_input(kind, "loopback_bandwidth",
                            shares_hosts && machine.loopback_bytes_per_second > 0,
                            &Machine::loopback_bytes_per_second));
  list.push_back(cost_input(kind, "combine_per_byte",
                            communicates && machine.combine_seconds_per_byte > 0,
                            &Machine::combine_seconds_per_byte));
  const auto add = [&](const char* name, double value, double cost::MessageCost::*member) {
    list.push_back(cost_input(kind, std::string("message ") + name, communicates && value > 0,
                              [member](Machine& m) -> double& { return m.message.*member; }));
  };
  add("send_overhead", message.send_overhead_seconds, &cost::MessageCost::send_overhead_seconds);
  add("receive_overhead", message.receive_overhead_seconds,
      &cost::MessageCost::receive_overhead_seconds);
  add("send_core_per_byte", message.send_core_seconds_per_byte,
      &cost::MessageCost::send_core_seconds_per_byte);
  add("receive_core_per_byte", message.receive_core_seconds_per_byte,
      &cost::MessageCost::receive_core_seconds_per_byte);
  add("latency", message.latency_seconds, &cost::MessageCost::latency_seconds);
}

/// The links that carry most, and how many there are beyond.
std::vector<std::size_t> busiest_links(const results::Result& result, std::size_t most) {
  std::vector<std::size_t> links;
  for (std::size_t link = 0; link < result.links.size(); ++link)
    if (result.links[link].bytes > 0) links.push_back(link);
  std::stable_sort(links.begin(), links.end(), [&](std::size_t a, std::size_t b) {
    return result.links[a].utilisation > result.links[b].utilisation;
  });
  links.resize(std::min(most, links.size()));
  return links;
}

std::vector<Input> inputs_of(const Inputs& inputs, const results::Result& result,
                             std::size_t most_links) {
  std::vector<Input> list;
  std::vector<std::string> kinds;
  std::vector<std::string> hosts;
  bool shares_hosts = false;
  for (const results::RankFigures& rank : result.ranks) {
    shares_hosts = shares_hosts || std::find(hosts.begin(), hosts.end(), rank.host) != hosts.end();
    hosts.push_back(rank.host);
  }
  const bool communicates = inputs.job.ranks > 1;
  for (std::size_t host = 0; host < inputs.topology.hosts.size(); ++host) {
    const topology::Host& given = inputs.topology.hosts[host];
    if (std::find(hosts.begin(), hosts.end(), given.name) == hosts.end()) continue;
    if (std::find(kinds.begin(), kinds.end(), given.machine) == kinds.end()) {
      kinds.push_back(given.machine);
      add_machine(list, given.machine, inputs.machines.at(given.machine), communicates,
                  shares_hosts);
    }
  }
  list.push_back({"job: batch", true, [](Inputs& changed, double factor) {
                    changed.job.batch = static_cast<std::int32_t>(
                        std::min(changed.job.batch * factor, 16'000'000.0));
                  }});
  const auto first =
      std::find_if(inputs.topology.hosts.begin(), inputs.topology.hosts.end(),
                   [&](const topology::Host& host) { return host.name == hosts.front(); });
  const auto number = static_cast<std::size_t>(first - inputs.topology.hosts.begin());
  list.push_back(
      {"host " + first->name + ": speed", true, [number](Inputs& changed, double factor) {
         changed.topology.rule.reset();
         changed.topology.hosts[number].speed /= factor;
       }});
  for (const std::size_t link : busiest_links(result, most_links)) {
    list.push_back({"link " + result.links[link].name + ": bandwidth", true,
                    [link](Inputs& changed, double factor) {
                      changed.topology.rule.reset();
                      changed.topology.links[link].bytes_per_second /= factor;
                    }});
    list.push_back({"link " + result.links[link].name + ": latency",
                    inputs.topology.links[link].latency > Time{},
                    [link](Inputs& changed, double factor) {
                      changed.topology.rule.reset();
                      Time& latency = changed.topology.links[link].latency;
                      latency = Time::from_seconds(latency.seconds() * factor);
                    }});
  }
  return list;
}

/// What an input does to the iteration's time.
struct Answer {
  enum class Kind { Moves, MovesLater, Never, Unused, Helps } kind = Kind::Moves;
  double factor = 0;  // by which it was made worse
  double change = 0;  // of the iteration's time, as a share
};

constexpr double kFirstFactor = 2;
constexpr double kNoticed = 1e-6;  // shares below are rounding

Answer ask(const Inputs& inputs, const Input& input, double seconds) {
  if (!input.is_used) return {.kind = Answer::Kind::Unused};
  Answer answer;
  for (const double factor : {kFirstFactor, 10.0, 100.0, 1000.0}) {
    Inputs worse = inputs;
    input.worsen(worse, factor);
    answer.factor = factor;
    answer.change = worse.predict().summary.iteration_seconds.mean / seconds - 1;
    if (std::abs(answer.change) < kNoticed) continue;
    answer.kind = answer.change < 0        ? Answer::Kind::Helps
                  : factor == kFirstFactor ? Answer::Kind::Moves
                                           : Answer::Kind::MovesLater;
    return answer;
  }
  answer.kind = Answer::Kind::Never;
  return answer;
}

std::string verdict(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::Moves:
      return "moves the answer";
    case Answer::Kind::MovesLater:
      return "hidden behind something slower until then";
    case Answer::Kind::Never:
      return "FAULT: is used, and never moves the answer";
    case Answer::Kind::Unused:
      return "zero, or not used in this case";
    case Answer::Kind::Helps:
      return "ANOMALY: worse makes it faster (others are let pass)";
  }
  return "";
}

}  // namespace

int run_check_sensitivity(const Arguments& arguments) {
  options::options_description flags(
      "lockstep check-sensitivity [flags]\n\n"
      "Makes each input of a prediction worse, by a factor of 2 and, if that changes nothing, of "
      "10,\n"
      "100 and 1000, and says what it does to the time of an iteration. An input that is used and\n"
      "never moves the answer is a fault (status 1). That a slower part makes the whole faster is\n"
      "possible (it may let others pass) and named.\nFlags");
  flags.add_options()("help", "this text");
  flags.add_options()("links", options::value<std::string>()->default_value("16"),
                      "so many of those that carry most");
  add_job_options(flags);
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  Inputs inputs;
  inputs.machines = read_machines(values);
  if (inputs.machines.empty())
    throw ConfigError("--machine", "expected a machine file; lockstep calibrate writes one");
  inputs.job = read_job(values);
  inputs.network = network::load_network(inputs.job.network);
  inputs.topology = topology::load_topology(inputs.job.topology);
  const auto most = static_cast<std::size_t>(whole_number(values, "links", 0, 1 << 20));

  const results::Result result = inputs.predict();
  const double seconds = result.summary.iteration_seconds.mean;
  std::printf("iteration: %s\n%-44s %8s %12s\n", format_seconds(seconds).c_str(), "input",
              "worse by", "iteration");
  bool has_fault = false;
  for (const Input& input : inputs_of(inputs, result, most)) {
    const Answer answer = ask(inputs, input, seconds);
    has_fault = has_fault || answer.kind == Answer::Kind::Never;
    if (answer.kind == Answer::Kind::Unused)
      std::printf("%-44s %8s %12s  %s\n", input.name.c_str(), "-", "-", verdict(answer).c_str());
    else
      std::printf("%-44s %7.0fx %+10.3f %%  %s\n", input.name.c_str(), answer.factor,
                  100 * answer.change, verdict(answer).c_str());
    std::fflush(stdout);
  }
  return has_fault ? kCheckFailed : kFine;
}

}  // namespace lockstep::cli
