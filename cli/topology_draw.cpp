// SPDX-License-Identifier: Apache-2.0
// lockstep topology draw: a topology as SVG, coloured by how much a result used its links.
#include <iostream>
#include <unordered_map>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/topology/drawing.h"
#include "models/topology/picture.h"

namespace lockstep::cli {

namespace {

/// Of each link of the topology, found by name. Throws ConfigError when the result has others.
std::vector<double> utilisation_of(const topology::Topology& topology, const std::string& path) {
  const results::Result result = results::load_result(path);
  std::unordered_map<std::string, double> known;
  for (const results::LinkFigures& link : result.links)
    known.emplace(link.name, link.utilisation);
  const auto mismatch = [&](const std::string& what) {
    return ConfigError("--result", path + " is of topology \"" + result.topology.name + "\", " +
                                       what + " \"" + topology.name + "\"");
  };
  if (known.size() != topology.links.size())
    throw mismatch("which has " + std::to_string(known.size()) + " links, not the " +
                   std::to_string(topology.links.size()) + " of");
  std::vector<double> utilisation;
  for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
    const auto found = known.find(topology.link_name(link));
    if (found == known.end())
      throw mismatch("which has no link \"" + topology.link_name(link) + "\" as has");
    utilisation.push_back(found->second);
  }
  return utilisation;
}

}  // namespace

int run_topology_draw(const Arguments& arguments) {
  options::options_description flags(
      "lockstep topology draw FILE --out FILE.svg [--result RESULT.json]\n\n"
      "Draws a topology. Point at a line to see what it is.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("out", options::value<std::string>(), "SVG file to write");
  add("result", options::value<std::string>(),
      "result of lockstep simulate or train: how much it used the links, as colours");
  options::options_description all;
  all.add(flags).add_options()("file", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "file");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (!values.count("file") || values["file"].as<std::vector<std::string>>().size() != 1)
    throw ConfigError("topology draw", "expected one file");
  if (!values.count("out")) throw ConfigError("--out", "expected the SVG file to write");
  check_outputs(values, {"out"});
  const topology::Topology topology =
      topology::load_topology(values["file"].as<std::vector<std::string>>().front());
  const std::size_t drawn = topology::drawn_nodes(topology);
  if (drawn > topology::kMostDrawnNodes)
    throw ConfigError("topology draw", "this would be a drawing of " + std::to_string(drawn) +
                                           " nodes, of which nothing could be seen; expected at "
                                           "most " +
                                           std::to_string(topology::kMostDrawnNodes));
  std::vector<double> utilisation;
  if (values.count("result"))
    utilisation = utilisation_of(topology, values["result"].as<std::string>());
  results::write_file(values["out"].as<std::string>(), topology::draw(topology, utilisation));
  return kFine;
}

}  // namespace lockstep::cli
