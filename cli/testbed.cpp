// SPDX-License-Identifier: Apache-2.0
// lockstep testbed: builds a topology on this machine and runs a job's ranks in its hosts.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <thread>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/testbed_check.h"
#include "exec/testbed/link_rates.h"
#include "exec/testbed/scaled.h"
#include "exec/testbed/testbed.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/results/result.h"

namespace lockstep::cli {

namespace {

options::options_description testbed_flags() {
  options::options_description flags(
      "lockstep testbed TOPOLOGY [flags] -- lockstep train …\n"
      "lockstep testbed TOPOLOGY [flags] -- lockstep bench allreduce …\n"
      "lockstep testbed check      what this machine can do (status 1: no testbed)\n"
      "lockstep testbed clean      removes what runs have left that were killed\n\n"
      "Builds the topology out of network namespaces on this machine, as root: links with their\n"
      "rates, hosts with their share of the processors. Measures the links, runs the ranks of the\n"
      "command in their hosts, and removes everything. What was built, rather than the topology "
      "as\n"
      "it is in its file, is what results hold and predictions are about.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("processors", options::value<std::string>(),
      "share of this machine's processors that all hosts get together (default 80%)");
  add("no-quota", "all hosts share all processors; for looking at the network alone");
  add("bandwidth-factor", options::value<std::string>(),
      "multiply the rates of all links, where this machine is too slow for them (default 1)");
  add("tolerance", options::value<std::string>(),
      "how far a link may be off its rate when measured before the run (default 7%)");
  add("scaled", options::value<std::string>(),
      "write the topology that is built; without a command that is all");
  return flags;
}

struct Command {
  int (*run)(const exec::Testbed*, const Arguments&) = nullptr;
  Arguments arguments = {};
};

bool gives(const std::string& argument, const std::string& flag) {
  return argument == flag || argument.starts_with(flag + "=");
}

bool names_this_program(const std::string& word) {
  return word == "lockstep" || word.ends_with("/lockstep");
}

/// `words`: what follows the "--".
Command read_command(const Arguments& words) {
  const auto is = [&](std::size_t place, const char* word) {
    return place < words.size() && words[place] == word;
  };
  Command command;
  if (is(1, "train"))
    command = {run_train_in, {words.begin() + 2, words.end()}};
  else if (is(1, "bench") && is(2, "allreduce"))
    command = {run_bench_allreduce_in, {words.begin() + 3, words.end()}};
  if (command.run == nullptr || !names_this_program(words[0])) {
    std::string given;
    for (const std::string& word : words)
      given += (given.empty() ? "" : " ") + word;
    throw ConfigError("testbed",
                      "expected \"-- lockstep train …\" or \"-- lockstep bench "
                      "allreduce …\", is \"-- " +
                          given + "\"");
  }
  for (const std::string& argument : command.arguments) {
    if (gives(argument, "--topology"))
      throw ConfigError("--topology", "is the testbed's, give it before the \"--\" only");
    for (const char* flag : {"--rank", "--rendezvous", "--secret-file"})
      if (gives(argument, flag))
        throw ConfigError(flag, "is the testbed's to give: it starts all ranks itself");
  }
  return command;
}

exec::Scaling read_scaling(const options::variables_map& values) {
  exec::Scaling scaling;
  scaling.processors = std::max(1u, std::thread::hardware_concurrency());
  scaling.has_quotas = !values.count("no-quota");
  if (values.count("processors"))
    scaling.share = share(values["processors"].as<std::string>(), "--processors");
  if (scaling.share <= 0 || scaling.share > 1)
    throw ConfigError("--processors", "expected more than 0 and at most 100%");
  if (values.count("bandwidth-factor"))
    scaling.bandwidth_factor = number(values, "bandwidth-factor", 1e-6, 1e6);
  return scaling;
}

/// "0.4", "0.2 to 0.4".
std::string range(double low, double high, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, low);
  std::string all = text;
  std::snprintf(text, sizeof text, format, high);
  return all == text ? all : all + " to " + text;
}

void print_scaled(const exec::Scaled& scaled, bool has_quotas) {
  const topology::Topology& topology = scaled.topology;
  std::printf("testbed \"%s\": %zu host(s), %zu switch(es), %zu link(s)\n", topology.name.c_str(),
              topology.hosts.size(), topology.switches.size(), topology.links.size());
  if (has_quotas) {
    const auto [least, most] =
        std::minmax_element(topology.hosts.begin(), topology.hosts.end(),
                            [](const auto& a, const auto& b) { return a.cores < b.cores; });
    std::printf("  processors of a host  %s (all scaled by %.3g)\n",
                range(least->cores, most->cores, "%.3g").c_str(), scaled.processor_factor);
  }
  for (const std::string& caution : scaled.cautions)
    std::fprintf(stderr, "caution: %s\n", caution.c_str());
}

/// A file without a name, open in this process and in those that it starts, at the path returned.
std::string hand_on(const std::string& text) {
  const int file = ::memfd_create("topology", 0);
  if (file < 0 || ::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw ConfigError("testbed", "cannot hand the topology on to the ranks");
  return "/proc/self/fd/" + std::to_string(file);
}

int run_in_testbed(const exec::Scaled& scaled, bool has_quotas, double tolerance, Command command) {
  if (has_quotas) clean_before(exec::control_groups_for_hosts());
  const exec::Testbed testbed(scaled.topology, has_quotas);
  if (!scaled.topology.links.empty())
    std::printf("  links keep their rate within %.1f %%\n",
                100 * exec::verify_links(testbed, tolerance));
  std::fflush(stdout);
  return command.run(&testbed, command.arguments);
}

}  // namespace

int run_testbed(const Arguments& arguments) {
  if (!arguments.empty() && arguments[0] == "check") return run_testbed_check(arguments);
  if (!arguments.empty() && arguments[0] == "clean") return run_testbed_clean(arguments);
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  options::options_description all;
  all.add(testbed_flags()).add_options()("topology", options::value<std::string>());
  const options::variables_map values = parse(all, {arguments.begin(), dashes}, "topology");
  if (values.count("help")) {
    std::cout << testbed_flags();
    return kFine;
  }
  if (!values.count("topology"))
    throw ConfigError("testbed", "expected a topology, check or clean; see --help");
  check_outputs(values, {"scaled"});
  const std::string where = values["topology"].as<std::string>();
  const exec::Scaling scaling = read_scaling(values);
  const double tolerance = values.count("tolerance")
                               ? share(values["tolerance"].as<std::string>(), "--tolerance")
                               : 0.07;
  Command command;
  if (dashes != arguments.end())
    command = read_command({dashes + 1, arguments.end()});
  else if (!values.count("scaled"))
    throw ConfigError("testbed", "expected a command: -- lockstep train …");
  const exec::Scaled scaled = exec::scale(topology::load_topology(where), scaling, where);
  print_scaled(scaled, scaling.has_quotas);
  const std::string text = topology::to_json(scaled.topology);
  if (values.count("scaled")) results::write_file(values["scaled"].as<std::string>(), text);
  if (command.run == nullptr) return kFine;
  command.arguments.push_back("--topology");
  command.arguments.push_back(values.count("scaled") ? values["scaled"].as<std::string>()
                                                     : hand_on(text));
  return run_in_testbed(scaled, scaling.has_quotas, tolerance, std::move(command));
}

}  // namespace lockstep::cli
