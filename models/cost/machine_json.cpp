// SPDX-License-Identifier: Apache-2.0
// Machine files. Every quantity carries its unit; the format is told in models/cost/README.md.
#include <charconv>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/base/units.h"
#include "models/cost/machine.h"

namespace lockstep::cost {

namespace {

/// The shortest text that reads back as the same number, and its unit.
Json quantity(double value, const char* unit) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end) + " " + unit;
}

Line read_line(const ObjectReader& object) {
  return {.fixed = object.seconds("fixed", 0.0),
          .per_unit = object.seconds("per_unit"),
          .relative_residual = object.number("relative_residual", 0, 1e6, 0.0)};
}

const ObjectReader::Keys kMessageKeys{
    "send_overhead", "receive_overhead", "send_core_per_byte", "receive_core_per_byte",
    "latency",       "window",           "relative_residual"};

MessageCost read_message(const ObjectReader& object) {
  return {.send_overhead_seconds = object.seconds("send_overhead"),
          .receive_overhead_seconds = object.seconds("receive_overhead"),
          .send_core_seconds_per_byte = object.seconds("send_core_per_byte"),
          .receive_core_seconds_per_byte = object.seconds("receive_core_per_byte"),
          .latency_seconds = object.seconds("latency"),
          .window_bytes = object.bytes("window"),
          .relative_residual = object.number("relative_residual", 0, 1e6, 0.0)};
}

Json to_object(const MessageCost& message) {
  return {{"send_overhead", quantity(message.send_overhead_seconds, "s")},
          {"receive_overhead", quantity(message.receive_overhead_seconds, "s")},
          {"send_core_per_byte", quantity(message.send_core_seconds_per_byte, "s")},
          {"receive_core_per_byte", quantity(message.receive_core_seconds_per_byte, "s")},
          {"latency", quantity(message.latency_seconds, "s")},
          {"window", message.window_bytes},
          {"relative_residual", message.relative_residual}};
}

const ObjectReader::Keys kLayerKeys{"signature", "direction", "threads",
                                    "fixed",     "per_unit",  "memory_per_unit",
                                    "units",     "seconds",   "relative_residual"};

LayerCost read_layer(const ObjectReader& object) {
  LayerCost layer;
  layer.signature = object.text("signature");
  layer.direction = object.text("direction", "");
  layer.threads = object.integer<std::int32_t>("threads", 1, 4096);
  layer.seconds = read_line(object);
  const Json& memory = object.value("memory_per_unit");
  layer.memory_bytes_per_unit = checked_number(memory, 0, 1e15, object.place("memory_per_unit"));
  if (!object.has("units") && !object.has("seconds")) return layer;
  const std::vector<double> units = object.numbers("units");
  const std::vector<double> seconds = object.numbers("seconds");
  if (units.size() != seconds.size())
    throw ConfigError(object.place("seconds"), "expected as many numbers as in \"units\"");
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (!(units[i] > (i > 0 ? units[i - 1] : 0)))
      throw ConfigError(object.place("units"), "expected ascending positive numbers");
    if (!(seconds[i] > 0)) throw ConfigError(object.place("seconds"), "must be positive");
    layer.samples.push_back({units[i], seconds[i]});
  }
  return layer;
}

Json to_object(const LayerCost& layer) {
  Json units = Json::array();
  Json seconds = Json::array();
  for (const Sample& sample : layer.samples) {
    units.push_back(sample.units);
    seconds.push_back(sample.seconds);
  }
  return {{"signature", layer.signature},
          {"direction", layer.direction},
          {"threads", layer.threads},
          {"fixed", quantity(layer.seconds.fixed, "s")},
          {"per_unit", quantity(layer.seconds.per_unit, "s")},
          {"memory_per_unit", layer.memory_bytes_per_unit},
          {"units", units},
          {"seconds", seconds},
          {"relative_residual", layer.seconds.relative_residual}};
}

std::vector<MessageSample> read_samples(const ObjectReader& object, const std::string& key) {
  std::vector<MessageSample> samples;
  if (!object.has(key)) return samples;
  const ObjectReader table =
      object.object(key, {"working_set", "bytes", "send", "store", "add", "round"});
  const std::vector<double> working_sets = table.numbers("working_set");
  const std::vector<double> bytes = table.numbers("bytes");
  const std::vector<double> send = table.numbers("send");
  const std::vector<double> store = table.numbers("store");
  const std::vector<double> add = table.numbers("add");
  const std::vector<double> round = table.numbers("round");
  for (const auto* column : {&bytes, &send, &store, &add, &round})
    if (column->size() != working_sets.size())
      throw ConfigError(table.place(), "expected columns of equal length");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const double value : {working_sets[i], bytes[i], send[i], store[i], add[i], round[i]})
      if (!(value >= 0 && value < 1e15))
        throw ConfigError(table.place(), "expected numbers that are not negative");
    const bool next_message = i > 0 && working_sets[i] == working_sets[i - 1];
    if (i > 0 && (next_message ? bytes[i] <= bytes[i - 1] : working_sets[i] < working_sets[i - 1]))
      throw ConfigError(table.place(), "expected ascending sizes");
    samples.push_back({working_sets[i], bytes[i], send[i], store[i], add[i], round[i]});
  }
  return samples;
}

Json to_object(const std::vector<MessageSample>& samples) {
  Json table = Json::object();
  for (const MessageSample& sample : samples) {
    table["working_set"].push_back(sample.working_set);
    table["bytes"].push_back(sample.bytes);
    table["send"].push_back(sample.send_seconds);
    table["store"].push_back(sample.store_seconds);
    table["add"].push_back(sample.add_seconds);
    table["round"].push_back(sample.round_seconds);
  }
  return table;
}

std::map<IntraHost, ExchangeCosts> read_exchanges(const ObjectReader& machine) {
  std::map<IntraHost, ExchangeCosts> exchanges;
  if (!machine.has("exchanges")) return exchanges;
  const ObjectReader all = machine.object("exchanges", {"tcp", "unix", "shm"});
  for (const IntraHost how : {IntraHost::Tcp, IntraHost::Unix, IntraHost::SharedMemory}) {
    if (!all.has(name_of(how))) continue;
    const ObjectReader one = all.object(name_of(how), {"apart", "together", "crowded"});
    exchanges[how] = {read_samples(one, "apart"), read_samples(one, "together"),
                      read_samples(one, "crowded")};
  }
  return exchanges;
}

Json to_object(const std::map<IntraHost, ExchangeCosts>& exchanges) {
  Json all = Json::object();
  for (const auto& [how, costs] : exchanges)
    all[name_of(how)] = {{"apart", to_object(costs.apart)},
                         {"together", to_object(costs.together)},
                         {"crowded", to_object(costs.crowded)}};
  return all;
}

constexpr const char* kSchema = "lockstep.machine/1";

}  // namespace

Machine parse_machine(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader object(
      json, where, "",
      {"schema", "name", "origin", "date", "cores", "flops_per_core", "memory_bandwidth",
       "core_memory_bandwidth", "loopback_bandwidth", "message", "between_hosts",
       "combine_per_byte", "exchanges", "combine_residual", "iteration_jitter",
       "turn_dispersion", "quota_slowdown", "run_to_run_residual", "layers"});
  if (object.text("schema") != kSchema)
    throw ConfigError(object.place("schema"), std::string("expected \"") + kSchema + "\", is \"" +
                                                  object.text("schema") + "\"");
  Machine machine;
  machine.name = object.text("name");
  const std::string origin = object.text("origin");
  if (origin != "measured" && origin != "datasheet")
    throw ConfigError(object.place("origin"),
                      "expected \"measured\" or \"datasheet\", is \"" + origin + "\"");
  machine.origin = origin == "measured" ? Origin::Measured : Origin::Datasheet;
  machine.date = object.text("date", "");
  machine.cores = object.number("cores", 0.001, 1e6);
  machine.flops_per_core =
      parse_flops(object.text("flops_per_core"), object.place("flops_per_core"));
  machine.memory_bytes_per_second = object.bandwidth("memory_bandwidth");
  machine.core_memory_bytes_per_second =
      object.bandwidth("core_memory_bandwidth", machine.memory_bytes_per_second);
  machine.loopback_bytes_per_second = object.bandwidth("loopback_bandwidth");
  machine.message = read_message(object.object("message", kMessageKeys));
  if (object.has("between_hosts"))
    machine.between_hosts = read_message(object.object("between_hosts", kMessageKeys));
  machine.exchanges = read_exchanges(object);
  machine.combine_seconds_per_byte = object.seconds("combine_per_byte");
  machine.combine_residual = object.number("combine_residual", 0, 1e6, 0.0);
  machine.iteration_jitter = object.number("iteration_jitter", 0, 1, 0.0);
  machine.turn_dispersion = object.seconds("turn_dispersion", 0);
  machine.quota_slowdown = object.number("quota_slowdown", 0, 100, 0.0);
  machine.run_to_run_residual = object.number("run_to_run_residual", 0, 1e6, 0.0);
  if (object.has("layers"))
    for (const ObjectReader& layer : object.objects("layers", kLayerKeys))
      machine.layers.push_back(read_layer(layer));
  return machine;
}

Machine load_machine(const std::string& path) {
  return parse_machine(read_text(path), path);
}

std::string to_json(const Machine& machine) {
  Json layers = Json::array();
  for (const LayerCost& layer : machine.layers)
    layers.push_back(to_object(layer));
  Json json{{"schema", kSchema},
            {"name", machine.name},
            {"origin", machine.origin == Origin::Measured ? "measured" : "datasheet"},
            {"date", machine.date},
            {"cores", machine.cores},
            {"flops_per_core", quantity(machine.flops_per_core, "FLOP/s")},
            {"memory_bandwidth", quantity(machine.memory_bytes_per_second, "B/s")},
            {"core_memory_bandwidth", quantity(machine.core_memory_bytes_per_second, "B/s")},
            {"loopback_bandwidth", quantity(machine.loopback_bytes_per_second, "B/s")},
            {"message", to_object(machine.message)},
            {"exchanges", to_object(machine.exchanges)},
            {"combine_per_byte", quantity(machine.combine_seconds_per_byte, "s")},
            {"combine_residual", machine.combine_residual},
            {"iteration_jitter", machine.iteration_jitter},
            {"turn_dispersion", quantity(machine.turn_dispersion, "s")},
            {"quota_slowdown", machine.quota_slowdown},
            {"run_to_run_residual", machine.run_to_run_residual},
            {"layers", layers}};
  if (machine.between_hosts) json["between_hosts"] = to_object(*machine.between_hosts);
  return to_text(json);
}

}  // namespace lockstep::cost
