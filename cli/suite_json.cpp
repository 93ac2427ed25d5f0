// SPDX-License-Identifier: Apache-2.0
#include "cli/suite_json.h"

#include <cctype>
#include <set>

#include "cli/sweep_json.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"

namespace lockstep::cli {

namespace {

constexpr const char* kSchema = "lockstep.suite/1";

/// What is changed, in few words: a name speaks for itself ("ring"), a number doesn't ("batch=64").
std::string word_for(const std::string& path, const std::string& value) {
  const bool is_name = !value.empty() && std::isalpha(static_cast<unsigned char>(value[0])) != 0 &&
                       value != "true" && value != "false" && value != "null";
  return is_name ? value : path.substr(path.rfind('/') + 1) + "=" + value;
}

/// Letters, digits and few signs; all else, for which folders and shells have a use, becomes "_".
std::string fit_for_file(std::string name) {
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string("-_.=").find(c) == std::string::npos)
      c = '_';
  return name;
}

/// The configurations of one entry of "cases", which is a sweep with a name.
void add_cases(const ObjectReader& entry, Sweep::Networks& networks,
               std::vector<SuiteCase>& cases) {
  const std::string name = entry.text("name");
  if (name.empty()) throw ConfigError(entry.place("name"), "must not be empty");
  Json sweep = Json::object();
  for (const char* key : {"job", "topology", "grid", "list"})
    if (entry.has(key)) sweep[key] = entry.value(key);
  if (!entry.has("grid") && !entry.has("list")) sweep["grid"] = Json::object();
  const Sweep configurations(sweep.dump(), entry.place(), {});
  for (std::uint64_t number = 0; number < configurations.size(); ++number) {
    SuiteCase one;
    one.name = name;
    for (const auto& [path, value] : configurations.changes(number)) {
      one.name += "-" + word_for(path, value);
      if (path.starts_with("topology/")) one.changes += ", " + word_for(path, value);
    }
    one.name = fit_for_file(one.name);
    one.resolved = configurations.at(number, networks).resolved;
    one.in_testbed = entry.boolean("testbed", one.resolved.topology.hosts.size() > 1);
    if (one.resolved.topology.hosts.size() > 1 && !one.in_testbed)
      throw ConfigError(entry.place("testbed"), "must be true: the topology has several hosts");
    cases.push_back(std::move(one));
  }
}

}  // namespace

Suite parse_suite(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader file(json, where, "",
                          {"schema", "name", "rounds", "seconds", "images", "cases"});
  if (file.text("schema") != kSchema)
    throw ConfigError(file.place("schema"), "expected \"" + std::string(kSchema) + "\"");
  Suite suite;
  suite.name = file.text("name");
  suite.rounds = file.integer<std::int32_t>("rounds", 1, 100, suite.rounds);
  suite.seconds = file.number("seconds", 0.1, 3600, suite.seconds);
  suite.images = file.integer<std::int32_t>("images", 10, 1'000'000, suite.images);
  Sweep::Networks networks;
  for (const ObjectReader& entry :
       file.objects("cases", {"name", "testbed", "job", "topology", "grid", "list"}))
    add_cases(entry, networks, suite.cases);
  if (suite.cases.empty()) throw ConfigError(file.place("cases"), "expected at least one case");
  std::set<std::string> names;
  for (const SuiteCase& one : suite.cases)
    if (!names.insert(one.name).second)
      throw ConfigError(file.place("cases"), "two cases are called \"" + one.name + "\"");
  return suite;
}

}  // namespace lockstep::cli
