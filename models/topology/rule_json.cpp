// SPDX-License-Identifier: Apache-2.0
// The JSON form of the rule of a generated topology, and the same from a command line's words.
#include <algorithm>

#include "models/topology/element_json.h"
#include "models/topology/generators.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {

namespace {

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const ShapeFacts& facts : shapes())
    names.emplace_back(facts.name);
  return names;
}

ObjectReader::Keys keys_of(const ShapeFacts& facts) {
  ObjectReader::Keys keys;
  for (const Parameter& parameter : facts.parameters)
    keys.emplace_back(parameter.key);
  keys.insert(keys.end(), host_keys().begin(), host_keys().end());
  if (facts.shape == Shape::OneHost) return keys;
  keys.insert(keys.end(), cable_keys().begin(), cable_keys().end());
  for (const Tier& tier : facts.tiers)
    keys.emplace_back(tier.key);
  return keys;
}

void read_cables(const ObjectReader& reader, const ShapeFacts& facts, Rule& rule, Faults& faults) {
  for (const char* key : {"bandwidth", "latency"})
    faults.attempt([&] { reader.value(key); });  // throws when it is missing
  rule.cables.resize(1);
  read_cable(reader, rule.cables[0], faults);
  for (const Tier& tier : facts.tiers) {
    rule.cables.push_back(rule.cables[0]);
    if (!reader.has(tier.key)) continue;
    const auto own = open(reader.value(tier.key), reader.file(), reader.pointer() + "/" + tier.key,
                          cable_keys(), faults);
    if (own) read_cable(*own, rule.cables.back(), faults);
  }
}

}  // namespace

std::optional<Rule> read_rule(const Json& json, const std::string& file, const std::string& pointer,
                              Faults& faults) {
  const auto generate = open(json, file, pointer, shape_names(), faults);
  if (!generate) return std::nullopt;
  std::vector<std::string> given;
  for (const ShapeFacts& facts : shapes())
    if (generate->has(facts.name)) given.emplace_back(facts.name);
  if (given.empty() && json.empty())
    faults.add(generate->place(), "a shape is missing, such as \"star\"");
  if (given.size() > 1) faults.add(generate->place(given[1]), "comes beside \"" + given[0] + "\"");
  if (given.size() != 1) return std::nullopt;

  const ShapeFacts& facts = *std::find_if(shapes().begin(), shapes().end(),
                                          [&](auto& shape) { return given[0] == shape.name; });
  const auto reader =
      open(generate->value(given[0]), file, pointer + "/" + given[0], keys_of(facts), faults);
  if (!reader) return std::nullopt;
  Rule rule;
  rule.shape = facts.shape;
  bool sized = true;
  for (const Parameter& parameter : facts.parameters) {
    std::int32_t size = parameter.fallback;
    if (size == 0 || reader->has(parameter.key))
      sized &= faults.attempt(
          [&] { size = reader->integer<std::int32_t>(parameter.key, parameter.low, kMaxNodes); });
    rule.sizes.push_back(size);
  }
  read_host(*reader, rule.host, faults);
  if (rule.shape != Shape::OneHost) read_cables(*reader, facts, rule, faults);
  if (!sized) return std::nullopt;
  // A tier that is not there would be an input that changes nothing.
  if (rule.shape == Shape::TwoTier && rule.sizes[2] == 1 && reader->has("uplinks"))
    faults.add(reader->place("uplinks"),
               "there are none with a single site: what joins the racks is \"backbone\"");
  const std::string fault = fault_of(rule);
  if (!fault.empty()) faults.add(reader->place(), fault);
  return rule;
}

Json json_of(const Rule& rule) {
  const ShapeFacts& facts = shape_facts(rule.shape);
  Json named = Json::object();
  Json& json = named[facts.name] = Json::object();
  for (std::size_t i = 0; i < rule.sizes.size(); ++i)
    if (rule.sizes[i] != facts.parameters[i].fallback)
      json[facts.parameters[i].key] = rule.sizes[i];
  write_host(rule.host, Host{}, json);
  if (rule.cables.empty()) return named;
  Wire unlike;  // any other: bandwidth and latency are always written
  unlike.latency = Time::max();
  write_cable(rule.cables[0], {unlike, unlike}, json);
  for (std::size_t tier = 0; tier < facts.tiers.size(); ++tier) {
    Json own = Json::object();
    write_cable(rule.cables[tier + 1], rule.cables[0], own);
    if (!own.empty()) json[facts.tiers[tier].key] = std::move(own);
  }
  return named;
}

std::vector<RuleKey> rule_keys(Shape shape) {
  static const std::vector<RuleKey> host{
      {"machine", "kind of machine, for --machine KIND=FILE"},
      {"speed", "of a host's cores against that machine's"},
      {"cores", "of a host that its ranks may use"},
      {"quota_period", "cores are a quota, handed out so often (\"100 ms\")"},
      {"sockets", "of a host; cores and memory are divided over them"},
      {"socket_bandwidth", "between two sockets, each way (\"20 GB/s\")"},
      {"socket_latency", "between two sockets (\"150 ns\")"}};
  static const std::vector<RuleKey> wire{
      {"bandwidth", "of a cable, each way (\"10 Gbit/s\")"},
      {"latency", "of a cable, one way (\"25 us\")"},
      {"header_efficiency", "share of the bandwidth left for payload (\"1448/1538\")"},
      {"burst", "bytes that pass at line rate after idling (\"64 kB\")"},
      {"queue", "bytes that wait at a switch before packets are lost (\"128 KiB\")"}};
  std::vector<RuleKey> keys;
  const auto add_cable_keys = [&](const std::string& prefix) {
    for (const RuleKey& key : wire)
      keys.push_back({prefix + key.key, prefix.empty() ? key.help : ""});
    for (const RuleKey& key : wire)
      keys.push_back({prefix + "reverse." + key.key, ""});
  };
  const ShapeFacts& facts = shape_facts(shape);
  for (const Parameter& parameter : facts.parameters)
    keys.push_back({parameter.key, parameter.help});
  if (shape != Shape::OneHost) add_cable_keys("");
  for (const Tier& tier : facts.tiers)
    add_cable_keys(std::string(tier.key) + ".");
  keys.insert(keys.end(), host.begin(), host.end());
  return keys;
}

Topology generate_from_words(Shape shape, const Words& words, const std::string& where) {
  const ShapeFacts& facts = shape_facts(shape);
  Json named = Json::object();
  Json& given = named[facts.name] = Json::object();
  for (const auto& [key, text] : words) {
    Json* object = &given;
    std::size_t begin = 0;
    for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', begin)) {
      object = &(*object)[key.substr(begin, dot - begin)];
      begin = dot + 1;
    }
    const std::string last = key.substr(begin);
    const bool is_text = last == "machine" || last == "bandwidth" || last == "latency" ||
                         last == "burst" || last == "queue" || last.starts_with("socket_");
    const Json number = Json::parse(text, nullptr, false);
    (*object)[last] = number.is_number() && !is_text ? number : Json(text);
  }
  Faults faults;
  const std::optional<Rule> rule = read_rule(named, where, "", faults);
  if (!faults.empty()) throw ConfigError(faults.take().front());
  return generate(*rule);
}

}  // namespace lockstep::topology
