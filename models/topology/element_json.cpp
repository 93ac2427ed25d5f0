// SPDX-License-Identifier: Apache-2.0
#include "models/topology/element_json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lockstep::topology {

namespace {

constexpr double kLeastSpeed = 1e-3;
constexpr double kMaxSpeed = 1e3;
constexpr double kLeastCores = 1e-3;
constexpr std::int32_t kMaxSockets = 64;
constexpr double kLeastBandwidth = 1e3;  // bytes per second: what is slower is a slip of the unit
constexpr double kMaxLatency = 60;       // seconds, likewise

}  // namespace

const ObjectReader::Keys& host_keys() {
  static const ObjectReader::Keys keys{
      "machine", "speed", "cores", "quota_period", "sockets", "socket_bandwidth", "socket_latency"};
  return keys;
}

const ObjectReader::Keys& wire_keys() {
  static const ObjectReader::Keys keys{"bandwidth", "latency", "header_efficiency", "burst",
                                       "queue"};
  return keys;
}

const ObjectReader::Keys& cable_keys() {
  static const ObjectReader::Keys keys = [] {
    ObjectReader::Keys all = wire_keys();
    all.emplace_back("reverse");
    return all;
  }();
  return keys;
}

std::optional<ObjectReader> open(const Json& json, const std::string& file,
                                 const std::string& pointer, const ObjectReader::Keys& keys,
                                 Faults& faults) {
  std::optional<ObjectReader> reader;
  if (!json.is_object()) {
    faults.attempt([&] { reader.emplace(json, file, pointer, keys); });  // says what it is instead
    return reader;
  }
  ObjectReader::Keys present = keys;
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const Json alone{{key, nullptr}};
    faults.attempt([&] { ObjectReader(alone, file, pointer, keys); });
    present.push_back(key);
  }
  return ObjectReader(json, file, pointer, present);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kVeryMany = 10'000;
  if (candidates.size() > kVeryMany) return "";
  const std::string best = nearest(word, candidates.data(), candidates.data() + candidates.size());
  return best.empty() ? "" : "; did you mean \"" + best + "\"?";
}

std::string checked_name(const Json& json, const std::string& where) {
  if (!json.is_string()) throw ConfigError(where, "must be a name, is " + quoted(json));
  const auto name = json.get<std::string>();
  if (name.empty()) throw ConfigError(where, "must not be empty");
  const bool is_plain = std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (!is_plain || name.find("->") != std::string::npos)
    throw ConfigError(where,
                      "a name has neither \"->\" nor control characters, is " + quoted(json));
  return name;
}

namespace {

/// A share in (0, 1], as a number or as the fraction that it comes from: "1448/1538".
double read_share(const ObjectReader& reader, const std::string& key) {
  const Json& value = reader.value(key);
  double share = -1;
  if (value.is_number()) share = value.get<double>();
  if (value.is_string()) {
    double part = 0;
    double whole = 0;
    char rest = 0;
    if (std::sscanf(value.get_ref<const std::string&>().c_str(), "%lf/%lf%c", &part, &whole,
                    &rest) == 2)
      share = part / whole;
  }
  if (!(share > 0 && share <= 1))
    throw ConfigError(reader.place(key),
                      "must be a share above 0 and at most 1, such as 0.94 or \"1448/1538\"");
  return share;
}

double read_bandwidth(const ObjectReader& reader, const std::string& key) {
  const double bandwidth = reader.bandwidth(key);
  if (bandwidth < kLeastBandwidth)
    throw ConfigError(reader.place(key), "must be at least 8 kbit/s");
  return bandwidth;
}

Time read_latency(const ObjectReader& reader, const std::string& key) {
  const double seconds = reader.seconds(key);
  if (seconds > kMaxLatency) throw ConfigError(reader.place(key), "must be at most 60 s");
  return Time::from_seconds(seconds);
}

/// What Linux takes: 1 ms to 1 s.
Time read_period(const ObjectReader& reader, const std::string& key) {
  const double seconds = reader.seconds(key);
  if (seconds < 1e-3 || seconds > 1)
    throw ConfigError(reader.place(key), "must be from 1 ms to 1 s");
  return Time::from_seconds(seconds);
}

/// Attempts to read each key that is there.
class Optional {
 public:
  Optional(const ObjectReader& reader, Faults& faults) : reader_(reader), faults_(faults) {}

  template <typename Read>
  void operator()(const std::string& key, const Read& read) const {
    if (reader_.has(key)) faults_.attempt([&] { read(key); });
  }

 private:
  const ObjectReader& reader_;
  Faults& faults_;
};

void read_wire(const ObjectReader& reader, const std::vector<Wire*>& wires, Faults& faults) {
  const Optional read(reader, faults);
  const auto all = [&](auto Wire::*field, auto value) {
    for (Wire* wire : wires)
      wire->*field = value;
  };
  read("bandwidth", [&](auto& key) { all(&Wire::bytes_per_second, read_bandwidth(reader, key)); });
  read("latency", [&](auto& key) { all(&Wire::latency, read_latency(reader, key)); });
  read("header_efficiency",
       [&](auto& key) { all(&Wire::header_efficiency, read_share(reader, key)); });
  read("burst", [&](auto& key) { all(&Wire::burst_bytes, reader.bytes(key)); });
  read("queue", [&](auto& key) { all(&Wire::queue_bytes, reader.bytes(key)); });
}

}  // namespace

void read_host(const ObjectReader& reader, Host& host, Faults& faults) {
  const Optional read(reader, faults);
  read("machine", [&](auto& key) { host.machine = reader.text(key); });
  read("speed", [&](auto& key) { host.speed = reader.number(key, kLeastSpeed, kMaxSpeed); });
  read("cores", [&](auto& key) { host.cores = reader.number(key, kLeastCores, kMaxCores); });
  read("quota_period", [&](auto& key) { host.quota_period = read_period(reader, key); });
  read("sockets",
       [&](auto& key) { host.sockets = reader.integer<std::int32_t>(key, 1, kMaxSockets); });
  read("socket_bandwidth",
       [&](auto& key) { host.socket_bytes_per_second = read_bandwidth(reader, key); });
  read("socket_latency", [&](auto& key) { host.socket_latency = read_latency(reader, key); });
  if (host.quota_period > Time{} && host.cores == 0)
    faults.add(reader.place(), "\"cores\" is missing, which \"quota_period\" makes a quota");
  if (host.quota_period > Time{} && host.sockets > 1)
    faults.add(reader.place("quota_period"), "a host with several sockets has no quota here");
  if (host.sockets > 1 && host.socket_bytes_per_second == 0 && !reader.has("socket_bandwidth"))
    faults.add(reader.place(), "\"socket_bandwidth\" is missing, the rate between two sockets");
  if (host.sockets == 1 && (reader.has("socket_bandwidth") || reader.has("socket_latency")))
    faults.add(reader.place(), "\"sockets\" is missing: one socket has no link to others");
}

void read_cable(const ObjectReader& reader, Cable& cable, Faults& faults) {
  read_wire(reader, {&cable.there, &cable.back}, faults);
  if (!reader.has("reverse")) return;
  const auto reverse = open(reader.value("reverse"), reader.file(), reader.pointer() + "/reverse",
                            wire_keys(), faults);
  if (reverse) read_wire(*reverse, {&cable.back}, faults);
}

namespace {

/// The text that reads back as the same rate: in bits where that is so, for people think in them.
std::string text_of_rate(double bytes_per_second) {
  constexpr std::pair<const char*, double> kUnits[] = {
      {" Tbit/s", 1e12 / 8}, {" Gbit/s", 1e9 / 8}, {" Mbit/s", 1e6 / 8}, {" kbit/s", 1e3 / 8}};
  for (const auto& [unit, factor] : kUnits) {
    const double count = std::round(bytes_per_second / factor * 1e6) / 1e6;
    if (count < 1 || count * factor != bytes_per_second) continue;
    const std::string digits = Json(count).dump();
    const bool whole = digits.ends_with(".0");
    return digits.substr(0, digits.size() - (whole ? 2 : 0)) + unit;
  }
  return Json(bytes_per_second).dump() + " B/s";
}

std::string text_of(Time time) {
  constexpr std::pair<const char*, std::int64_t> kUnits[] = {
      {" s", 1'000'000'000'000}, {" ms", 1'000'000'000}, {" us", 1'000'000}, {" ns", 1000}};
  if (time == Time{}) return "0 s";
  for (const auto& [unit, factor] : kUnits)
    if (time.picoseconds % factor == 0) return std::to_string(time.picoseconds / factor) + unit;
  return std::to_string(time.picoseconds) + " ps";
}

}  // namespace

void write_host(const Host& host, const Host& usual, Json& json) {
  if (host.machine != usual.machine) json["machine"] = host.machine;
  if (host.speed != usual.speed) json["speed"] = host.speed;
  if (host.cores != usual.cores) json["cores"] = host.cores;
  if (host.quota_period != usual.quota_period) json["quota_period"] = text_of(host.quota_period);
  if (host.sockets == 1) return;
  json["sockets"] = host.sockets;
  json["socket_bandwidth"] = text_of_rate(host.socket_bytes_per_second);
  if (host.socket_latency != Time{}) json["socket_latency"] = text_of(host.socket_latency);
}

void write_wire(const Wire& wire, const Wire& usual, Json& json) {
  if (wire.bytes_per_second != usual.bytes_per_second)
    json["bandwidth"] = text_of_rate(wire.bytes_per_second);
  if (wire.latency != usual.latency) json["latency"] = text_of(wire.latency);
  if (wire.header_efficiency != usual.header_efficiency)
    json["header_efficiency"] = wire.header_efficiency;
  if (wire.burst_bytes != usual.burst_bytes)
    json["burst"] = std::to_string(wire.burst_bytes) + " B";
  if (wire.queue_bytes != usual.queue_bytes)
    json["queue"] = std::to_string(wire.queue_bytes) + " B";
}

void write_cable(const Cable& cable, const Cable& usual, Json& json) {
  write_wire(cable.there, usual.there, json);
  Wire implied = usual.back;  // what a reader makes of it without "reverse"
  if (cable.there.bytes_per_second != usual.there.bytes_per_second)
    implied.bytes_per_second = cable.there.bytes_per_second;
  if (cable.there.latency != usual.there.latency) implied.latency = cable.there.latency;
  if (cable.there.header_efficiency != usual.there.header_efficiency)
    implied.header_efficiency = cable.there.header_efficiency;
  if (cable.there.burst_bytes != usual.there.burst_bytes)
    implied.burst_bytes = cable.there.burst_bytes;
  if (cable.there.queue_bytes != usual.there.queue_bytes)
    implied.queue_bytes = cable.there.queue_bytes;
  Json reverse = Json::object();
  write_wire(cable.back, implied, reverse);
  if (!reverse.empty()) json["reverse"] = std::move(reverse);
}

}  // namespace lockstep::topology
