// SPDX-License-Identifier: Apache-2.0
// lockstep topology: picks its part; check says what a topology is, or all that is wrong with it.
#include "cli/command_line.h"

#include <cstdio>
#include <iostream>

#include "models/base/errors.h"
#include "models/topology/facts.h"

namespace lockstep::cli {

namespace {

/// Returns whether the topology is fine.
bool check(const std::string& name_or_path) {
  const topology::CheckedTopology checked =
      topology::check_topology(topology::read_topology(name_or_path), name_or_path);
  if (!checked.faults.empty()) {
    for (const std::string& fault : checked.faults)
      std::cerr << "lockstep: " << fault << '\n';
    return false;
  }
  const topology::Topology& topology = checked.topology;
  const topology::Facts facts = topology::facts_of(topology);
  std::cout << name_or_path << ": topology \"" << topology.name << "\" is fine\n"
            << topology::to_table(topology, facts);
  for (const std::string& name : facts.idle_switches)
    std::cerr << "caution: switch \"" << name << "\" has no links\n";
  if (facts.has_equal_paths && topology.routing == topology::Routing::First)
    std::cerr << "caution: hosts have several shortest paths between them and use the first one "
                 "only; \"routing\": \"hash\" or \"split\" uses all\n";
  return true;
}

int run_check(const Arguments& arguments) {
  options::options_description flags(
      "lockstep topology check FILE…\n\n"
      "Says what each topology is, or all that is wrong with it (status 2).\nFlags");
  flags.add_options()("help", "this text");
  options::options_description all;
  all.add(flags).add_options()("file", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "file");
  if (values.count("help")) {
    std::cout << flags << "Those that come with lockstep\n  " << topology::known_topologies()
              << '\n';
    return kFine;
  }
  if (!values.count("file")) throw ConfigError("topology check", "expected at least one file");
  bool fine = true;
  for (const std::string& path : values["file"].as<std::vector<std::string>>())
    fine = check(path) && fine;
  return fine ? kFine : kBadInput;
}

struct Part {
  const char* name;
  const char* does;
  int (*run)(const Arguments&);
};

constexpr Part kParts[] = {
    {"check", "say what topologies are, or all that is wrong with them", run_check},
    {"draw", "draw one as SVG, with the use of its links in a result", run_topology_draw},
    {"generate", "make a regular one: star, fat tree, torus, …", run_topology_generate},
};

void print_usage() {
  std::puts("usage: lockstep topology PART …      lockstep topology PART --help says more\n");
  for (const Part& part : kParts)
    std::printf("  %-9s %s\n", part.name, part.does);
}

}  // namespace

int run_topology(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help") {
    print_usage();
    return arguments.empty() ? kBadInput : kFine;
  }
  std::vector<std::string> names;
  for (const Part& part : kParts) {
    if (arguments[0] == part.name) return part.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(part.name);
  }
  const std::string guess = nearest(arguments[0], names.data(), names.data() + names.size());
  throw ConfigError("topology", "expected check, draw or generate, is \"" + arguments[0] + "\"" +
                                    (guess.empty() ? "" : "; did you mean " + guess + "?"));
}

}  // namespace lockstep::cli
