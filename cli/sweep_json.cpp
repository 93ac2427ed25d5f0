// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/disturbed.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/base/random.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

constexpr const char* kSchema = "lockstep.sweep/1";
constexpr std::uint64_t kMost = 1'000'000'000;  // configurations

/// A field that is changed and what it may become.
struct Field {
  std::string path;  // "job/ranks"
  std::string place;
  std::vector<Json> values;  // one of these
  double low = 0;            // or, when there are none, a number from low to high
  double high = 0;
  bool is_whole = false;
  std::string unit;
};

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path)
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

void check_path(const std::string& path, const std::string& place) {
  static const std::array<std::string, 4> kFiles{"job", "topology", "machine", "conditions"};
  const std::vector<std::string> parts = parts_of(path);
  if (std::find(kFiles.begin(), kFiles.end(), parts[0]) == kFiles.end() || parts.size() < 2) {
    const std::string meant = nearest(parts[0], kFiles.data(), kFiles.data() + kFiles.size());
    throw ConfigError(place, "must begin with job/, topology/, machine/ or conditions/, is \"" +
                                 path + "\"" +
                                 (meant.empty() ? "" : "; did you mean " + meant + "/…?"));
  }
}

/// Puts the value there; what is missing on the way comes into being, for the file's own reader to
/// judge.
void set(Json& file, const std::string& path, const Json& value, const std::string& place) {
  const std::vector<std::string> parts = parts_of(path);
  Json* at = &file;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (at->is_array()) {
      const bool is_number = !parts[i].empty() && parts[i].size() < 9 &&
                             parts[i].find_first_not_of("0123456789") == std::string::npos;
      if (!is_number || std::stoul(parts[i]) >= at->size())
        throw ConfigError(
            place, "\"" + parts[i] + "\" is no place in a list of " + std::to_string(at->size()));
      at = &(*at)[std::stoul(parts[i])];
    } else if (at->is_object() || at->is_null()) {
      at = &(*at)[parts[i]];
    } else {
      throw ConfigError(place, "there is nothing within " + quoted(*at));
    }
  }
  *at = value;
}

Field read_field(const std::string& path, const Json& json, const std::string& where,
                 const std::string& pointer, bool may_draw) {
  Field field;
  field.path = path;
  field.place = where + ": " + pointer + "/" + path;
  check_path(path, field.place);
  if (json.is_array() && !json.empty()) {
    field.values.assign(json.begin(), json.end());
    return field;
  }
  if (!may_draw || !json.is_object())
    throw ConfigError(field.place, "expected a list of values, is " + quoted(json));
  const ObjectReader range(json, where, pointer + "/" + path, {"low", "high", "unit"});
  constexpr double kLargest = 1e15;
  field.low = range.number("low", -kLargest, kLargest);
  field.high = range.number("high", field.low, kLargest);
  field.unit = range.text("unit", "");
  field.is_whole =
      json["low"].is_number_integer() && json["high"].is_number_integer() && field.unit.empty();
  return field;
}

Json drawn(const Field& field, Random& random) {
  if (!field.values.empty()) return field.values[random.below(field.values.size())];
  if (field.is_whole)
    return static_cast<std::int64_t>(field.low) +
           static_cast<std::int64_t>(
               random.below(static_cast<std::uint64_t>(field.high - field.low) + 1));
  const double value = field.low + random.uniform() * (field.high - field.low);
  if (field.unit.empty()) return value;
  return Json(value).dump() + " " + field.unit;
}

/// Adds what a file of the result would have under these keys.
void add_figures(const results::Result& figures, Json& line) {
  results::Result result;
  result.summary = figures.summary;
  result.failure = figures.failure;
  const Json json = Json::parse(results::to_json(result));
  for (const char* key : {"summary", "failure"})
    if (json.contains(key)) line[key] = json[key];
}

/// FNV-1a: tells sweeps apart, not more.
std::string hash_of(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

}  // namespace

struct Sweep::Content {
  Json job = Json::object();
  Json topology;  // null: the job's
  Json conditions = Json::object();
  std::string where;
  std::map<std::string, std::string> machines;
  std::vector<Field> fields;  // of a grid or a random sweep
  std::vector<Json> list;     // of a list
  std::uint64_t size = 1;
  bool is_random = false;
  std::uint64_t seed = 0;
  std::string identity;

  void read_grid(const Json& grid) {
    for (const auto& [path, values] : grid.items()) {
      fields.push_back(read_field(path, values, where, "/grid", false));
      size *= fields.back().values.size();
      if (size > kMost)
        throw ConfigError(where + ": /grid", "there are more than 10⁹ combinations");
    }
  }
  void read_random(const ObjectReader& random) {
    is_random = true;
    size = random.integer<std::uint64_t>("configurations", 1, kMost);
    seed = random.integer<std::uint64_t>("seed", 0, UINT64_MAX, 1);
    if (!random.value("draw").is_object())
      throw ConfigError(random.place("draw"), "expected an object of fields");
    for (const auto& [path, values] : random.value("draw").items())
      fields.push_back(read_field(path, values, where, "/random/draw", true));
  }
  void read_list(const Json& configurations) {
    if (!configurations.is_array() || configurations.empty())
      throw ConfigError(where + ": /list", "expected a list of objects of fields");
    for (const Json& one : configurations) {
      const std::string place = where + ": /list/" + std::to_string(list.size());
      if (!one.is_object()) throw ConfigError(place, "expected an object of fields");
      for (const auto& [path, value] : one.items())
        check_path(path, place + "/" + path);
      list.push_back(one);
    }
    size = list.size();
  }

  Json changes(std::uint64_t number) const {
    if (!list.empty()) return list[number];
    Json changes = Json::object();
    if (is_random) {
      Random random(seed, number);
      for (const Field& field : fields)
        changes[field.path] = drawn(field, random);
      return changes;
    }
    for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
      changes[field->path] = field->values[number % field->values.size()];
      number /= field->values.size();
    }
    Json in_order = Json::object();
    for (const Field& field : fields)
      in_order[field.path] = changes[field.path];
    return in_order;
  }
};

Sweep::Sweep(const std::string& text, const std::string& where,
             std::map<std::string, std::string> machines)
    : content_(std::make_unique<Content>()) {
  Content& content = *content_;
  const Json json = parse_json(text, where);
  const ObjectReader file(json, where, "",
                          {"job", "topology", "conditions", "grid", "list", "random"});
  content.where = where;
  content.machines = std::move(machines);
  if (file.has("job")) content.job = file.value("job");
  const training::Job job = training::parse_job(content.job.dump(), where + ": /job");
  if (file.has("topology")) {
    content.topology = file.value("topology");
    if (content.job.contains("topology"))
      throw ConfigError(where + ": /topology", "the job names one too, \"" + job.topology + "\"");
    topology::parse_topology(content.topology.dump(), where + ": /topology");
  }
  if (file.has("conditions")) content.conditions = file.value("conditions");
  if (file.has("grid") + file.has("list") + file.has("random") != 1)
    throw ConfigError(where, "expected one of grid, list and random");
  if (file.has("grid")) {
    if (!file.value("grid").is_object())
      throw ConfigError(where + ": /grid", "expected an object of fields");
    content.read_grid(file.value("grid"));
  } else if (file.has("random")) {
    content.read_random(file.object("random", {"configurations", "seed", "draw"}));
  } else {
    content.read_list(file.value("list"));
  }
  std::string all = json.dump();
  for (const auto& [kind, machine] : content.machines)
    all += kind + "\n" + machine;
  content.identity = hash_of(all);
}

Sweep::~Sweep() = default;

std::uint64_t Sweep::size() const {
  return content_->size;
}

Sweep::Case Sweep::at(std::uint64_t number, Networks& networks) const {
  const Json changes = content_->changes(number);
  const std::string where = content_->where + ", configuration " + std::to_string(number);
  const auto changed = [&](const std::string& file, Json json) {
    for (const auto& [path, value] : changes.items())
      if (path.starts_with(file + "/")) set(json, path, value, where + ": " + path);
    return json.dump();
  };
  const training::Job job = training::parse_job(changed("job", content_->job), where + ": job");
  const auto network = networks.find(job.network);
  if (network == networks.end()) networks.emplace(job.network, network::load_network(job.network));
  const Json topology = content_->topology.is_null()
                            ? parse_json(topology::read_topology(job.topology), job.topology)
                            : content_->topology;
  Case one;
  one.resolved =
      resolve(job, networks.at(job.network),
              topology::parse_topology(changed("topology", topology), where + ": topology"));
  const std::string conditions = changed("conditions", content_->conditions);
  set_conditions(conditions, where + ": conditions", one.resolved);
  for (const auto& [kind, machine] : content_->machines)
    one.machines[kind] = cost::parse_machine(
        kind.empty() ? changed("machine", parse_json(machine, "the machine file")) : machine,
        where + ": machine");
  return one;
}

std::vector<std::pair<std::string, std::string>> Sweep::changes(std::uint64_t number) const {
  std::vector<std::pair<std::string, std::string>> texts;
  const Json changes = content_->changes(number);
  for (const auto& [path, value] : changes.items())
    texts.emplace_back(path, value.is_string() ? value.get<std::string>() : value.dump());
  return texts;
}

std::string Sweep::header(std::uint64_t shard, std::uint64_t shards) const {
  return Json{{"schema", kSchema},
              {"sweep", content_->identity},
              {"configurations", content_->size},
              {"shard", std::to_string(shard + 1) + "/" + std::to_string(shards)}}
      .dump();
}

std::string Sweep::line(std::uint64_t number, const results::Result& result) const {
  Json line{{"configuration", number}, {"set", content_->changes(number)}};
  add_figures(result, line);
  return line.dump();
}

std::string Sweep::line(std::uint64_t number, const std::string& error) const {
  return Json{{"configuration", number}, {"set", content_->changes(number)}, {"error", error}}
      .dump();
}

}  // namespace lockstep::cli
