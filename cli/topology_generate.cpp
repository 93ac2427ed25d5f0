// SPDX-License-Identifier: Apache-2.0
// lockstep topology generate: a regular topology as a file.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/topology/facts.h"
#include "models/topology/shapes.h"

namespace lockstep::cli {

namespace {

std::string replaced(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

void print_kinds() {
  std::cout << "lockstep topology generate KIND [flags]: makes a regular topology\n"
               "lockstep topology generate KIND --help says what it takes\nKinds\n";
  for (const topology::ShapeFacts& shape : topology::shapes())
    std::cout << "  " << shape.name << std::string(12 - std::string(shape.name).size(), ' ')
              << shape.help << '\n';
}

const topology::ShapeFacts& find_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const topology::ShapeFacts& shape : topology::shapes()) {
    if (name == shape.name) return shape;
    names.emplace_back(shape.name);
  }
  const std::string guess = nearest(name, names.data(), names.data() + names.size());
  throw ConfigError("topology generate",
                    "no kind is called \"" + name + "\"" +
                        (guess.empty() ? ", see --help" : "; did you mean " + guess + "?"));
}

}  // namespace

int run_topology_generate(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help") {
    print_kinds();
    return arguments.empty() ? kBadInput : kFine;
  }
  const topology::ShapeFacts& kind = find_kind(arguments[0]);
  options::options_description flags("lockstep topology generate " + arguments[0] +
                                     " [flags]: " + kind.help + "\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("out", options::value<std::string>(), "file to write (otherwise it is printed)");
  add("name", options::value<std::string>(), "of the topology (default: the file's or the kind's)");
  add("routing", options::value<std::string>()->default_value("first"),
      "of several shortest paths: first, hash (one for each flow) or split (all)");
  add("list", "write all hosts and links out, to be changed by hand, instead of the rule");
  const std::vector<topology::RuleKey> keys = topology::rule_keys(kind.shape);
  for (const topology::RuleKey& key : keys)
    add(replaced(key.key, '_', '-').c_str(), options::value<std::string>(), key.help.c_str());
  const options::variables_map values =
      parse(flags, Arguments(arguments.begin() + 1, arguments.end()));
  if (values.count("help")) {
    std::cout << flags << "A tier's keys are those of all cables where it does not say otherwise\n";
    return kFine;
  }
  check_outputs(values, {"out"});

  topology::Words words;
  for (const topology::RuleKey& key : keys)
    if (const std::string flag = replaced(key.key, '_', '-'); values.count(flag))
      words.emplace_back(key.key, values[flag].as<std::string>());
  topology::Topology made = topology::generate_from_words(kind.shape, words, "topology generate");
  made.routing = topology::parse_routing(values["routing"].as<std::string>(), "--routing");
  const bool has_file = values.count("out") > 0;
  if (values.count("name"))
    made.name = values["name"].as<std::string>();
  else if (has_file)
    made.name = std::filesystem::path(values["out"].as<std::string>()).stem();
  const std::string text = topology::to_json(made, values.count("list") > 0);
  topology::parse_topology(text, "--name");  // the only word that nobody has looked at
  if (!has_file) {
    std::cout << text;
    return kFine;
  }
  results::write_file(values["out"].as<std::string>(), text);
  std::cout << values["out"].as<std::string>() << '\n'
            << topology::to_table(made, topology::facts_of(made));
  return kFine;
}

}  // namespace lockstep::cli
