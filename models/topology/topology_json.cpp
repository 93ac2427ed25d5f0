// SPDX-License-Identifier: Apache-2.0
// The JSON form of a topology (topologies/README.md): reading, with errors that name file and
// place; writing.
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

#include "models/base/embedded.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/topology/generators.h"
#include "models/topology/topology.h"

namespace lockstep::topology {
namespace {

constexpr std::int32_t kMaxNodes = 1'000'000;
constexpr double kLeastSpeed = 1e-3;
constexpr double kMaxSpeed = 1e3;
constexpr double kLeastCores = 1e-3;
constexpr double kMaxCores = 1e5;
constexpr double kLeastBandwidth = 1e3;  // bytes per second: what is slower is a slip of the unit
constexpr double kMaxLatency = 60;       // seconds, likewise

using Keys = ObjectReader::Keys;
const Keys kFileKeys{"name", "hosts", "switches", "link_defaults", "links", "generate"};
const Keys kHostKeys{"name", "machine", "speed", "cores"};
const Keys kDefaultKeys{"bandwidth", "latency", "header_efficiency", "burst", "duplex"};
const Keys kLinkKeys{"from", "to", "bandwidth", "latency", "header_efficiency", "burst", "duplex"};
const Keys kStarKeys{"hosts",   "machine",           "speed", "cores", "bandwidth",
                     "latency", "header_efficiency", "burst"};

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string best = nearest(word, candidates.data(), candidates.data() + candidates.size());
  return best.empty() ? "" : "; did you mean \"" + best + "\"?";
}

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

std::string read_name(const ObjectReader& reader, const std::string& key) {
  const std::string name = reader.text(key);
  if (name.empty()) throw ConfigError(reader.place(key), "must not be empty");
  return name;
}

/// Overwrites what the object says of a host, its name excepted.
void read_host(const ObjectReader& reader, Host& host) {
  host.machine = reader.text("machine", host.machine);
  host.speed = reader.number("speed", kLeastSpeed, kMaxSpeed, host.speed);
  if (reader.has("cores")) host.cores = reader.number("cores", kLeastCores, kMaxCores);
}

/// Overwrites what the object says of a cable, its ends excepted.
void read_cable(const ObjectReader& reader, Link& cable) {
  cable.bytes_per_second = reader.bandwidth("bandwidth", cable.bytes_per_second);
  if (reader.has("bandwidth") && cable.bytes_per_second < kLeastBandwidth)
    throw ConfigError(reader.place("bandwidth"), "must be at least 8 kbit/s");
  const double seconds = reader.seconds("latency", cable.latency.seconds());
  if (seconds > kMaxLatency) throw ConfigError(reader.place("latency"), "must be at most 60 s");
  cable.latency = Time::from_seconds(seconds);
  if (reader.has("header_efficiency"))
    cable.header_efficiency = read_share(reader, "header_efficiency");
  cable.burst_bytes = reader.bytes("burst", cable.burst_bytes);
}

/// Reads the form that lists hosts, switches and links.
class Explicit {
 public:
  Topology read(const ObjectReader& root) {
    topology_.name = read_name(root, "name");
    read_nodes(root);
    if (root.has("link_defaults")) {
      const ObjectReader defaults = root.object("link_defaults", kDefaultKeys);
      read_cable(defaults, cable_);
      duplex_ = defaults.boolean("duplex", true);
      default_bandwidth_ = defaults.has("bandwidth");
      default_latency_ = defaults.has("latency");
    }
    if (root.has("links"))
      for (const ObjectReader& link : root.objects("links", kLinkKeys))
        read_link(link);
    check_connected(root);
    return std::move(topology_);
  }

 private:
  void read_nodes(const ObjectReader& root) {
    for (const ObjectReader& reader : root.objects("hosts", kHostKeys)) {
      Host host;
      host.name = read_name(reader, "name");
      add_node(host.name, reader.place("name"));
      read_host(reader, host);
      topology_.hosts.push_back(std::move(host));
    }
    if (topology_.hosts.empty())
      throw ConfigError(root.place("hosts"), "must have at least one host");
    if (!root.has("switches")) return;
    const Json& switches = root.value("switches");
    if (!switches.is_array()) throw ConfigError(root.place("switches"), "must be a list of names");
    for (const Json& value : switches) {
      const std::string place =
          root.place("switches") + "/" + std::to_string(topology_.switches.size());
      if (!value.is_string() || value.get_ref<const std::string&>().empty())
        throw ConfigError(place, "must be a name");
      topology_.switches.push_back(value.get<std::string>());
      add_node(topology_.switches.back(), place);
    }
  }

  void add_node(const std::string& name, const std::string& place) {
    const auto number = static_cast<std::int32_t>(node_.size());
    if (number >= kMaxNodes) throw ConfigError(place, "more than 1000000 hosts and switches");
    if (!node_.emplace(name, number).second)
      throw ConfigError(place, "the name \"" + name + "\" is taken by another host or switch");
  }

  std::int32_t node(const ObjectReader& link, const std::string& end) const {
    const std::string name = link.text(end);
    const auto found = node_.find(name);
    if (found != node_.end()) return found->second;
    std::vector<std::string> names = topology_.switches;
    for (const Host& host : topology_.hosts)
      names.push_back(host.name);
    throw ConfigError(link.place(end),
                      "no host or switch is called \"" + name + "\"" + suggestion(name, names));
  }

  void read_link(const ObjectReader& reader) {
    const std::int32_t from = node(reader, "from");
    const std::int32_t to = node(reader, "to");
    if (from == to)
      throw ConfigError(reader.place("to"),
                        "a link from \"" + topology_.node_name(from) + "\" to itself");
    if (!default_bandwidth_) reader.value("bandwidth");  // throws when it is missing
    if (!default_latency_) reader.value("latency");
    Link cable = cable_;
    read_cable(reader, cable);
    add(reader, cable, from, to);
    if (reader.boolean("duplex", duplex_)) add(reader, cable, to, from);
  }

  void add(const ObjectReader& reader, const Link& cable, std::int32_t from, std::int32_t to) {
    const auto ends = static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint32_t>(to);
    if (!linked_.insert(ends).second)
      throw ConfigError(reader.place("to"), "there is a link from \"" + topology_.node_name(from) +
                                                "\" to \"" + topology_.node_name(to) +
                                                "\" already; give one link the bandwidth of both");
    add_link(topology_, cable, from, to);
  }

  /// Every host reaches every other if the first one reaches all and all reach the first one.
  void check_connected(const ObjectReader& root) const {
    const std::vector<bool> reached = reach(&Link::from, &Link::to);
    const std::vector<bool> reaching = reach(&Link::to, &Link::from);
    const std::string& first = topology_.hosts.front().name;
    for (std::size_t host = 1; host < topology_.hosts.size(); ++host) {
      if (reached[host] && reaching[host]) continue;
      const std::string& name = topology_.hosts[host].name;
      throw ConfigError(root.place("hosts") + "/" + std::to_string(host),
                        "no links lead from \"" + (reached[host] ? name : first) + "\" to \"" +
                            (reached[host] ? first : name) + "\"");
    }
  }

  /// The nodes that host 0 reaches along links from `tail` to `head`.
  std::vector<bool> reach(std::int32_t Link::*tail, std::int32_t Link::*head) const {
    std::vector<std::vector<std::int32_t>> neighbours(node_.size());
    for (const Link& link : topology_.links)
      neighbours[static_cast<std::size_t>(link.*tail)].push_back(link.*head);
    std::vector<bool> reached(node_.size());
    reached[0] = true;
    std::vector<std::int32_t> queue{0};
    for (std::size_t i = 0; i < queue.size(); ++i)
      for (const std::int32_t other : neighbours[static_cast<std::size_t>(queue[i])]) {
        if (reached[static_cast<std::size_t>(other)]) continue;
        reached[static_cast<std::size_t>(other)] = true;
        queue.push_back(other);
      }
    return reached;
  }

  Topology topology_;
  Link cable_;  // what link_defaults says
  bool duplex_ = true;
  bool default_bandwidth_ = false;
  bool default_latency_ = false;
  std::unordered_map<std::string, std::int32_t> node_;
  std::unordered_set<std::uint64_t> linked_;
};

Topology generate(const ObjectReader& rules) {
  const ObjectReader given = rules.object("star", kStarKeys);
  Star star;
  star.hosts = given.integer<std::int32_t>("hosts", 1, kMaxNodes - 1);
  read_host(given, star.host);
  given.value("bandwidth");  // throws when it is missing
  given.value("latency");
  read_cable(given, star.link);
  return make_star(star);
}

}  // namespace

Topology parse_topology(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader root(json, where, "", kFileKeys);
  if (!root.has("generate")) return Explicit().read(root);
  for (const char* key : {"hosts", "switches", "link_defaults", "links"})
    if (root.has(key)) throw ConfigError(root.place(key), "comes beside \"generate\"");
  Topology topology = generate(root.object("generate", {"star"}));
  topology.name = read_name(root, "name");
  return topology;
}

Topology load_topology(const std::string& name_or_path) {
  std::vector<std::string> names;
  std::string list;
  for (const EmbeddedFile& file : embedded_topologies()) {
    names.push_back(file.name.substr(0, file.name.rfind(".json")));
    list += (list.empty() ? "" : ", ") + names.back();
    if (names.back() == name_or_path) return parse_topology(file.content, name_or_path);
  }
  // A word without a slash or an ending was meant as a name.
  if (name_or_path.find_first_of("/.") == std::string::npos)
    throw ConfigError(name_or_path, "no topology has this name" + suggestion(name_or_path, names) +
                                        " (known: " + list + "; or the path of a JSON file)");
  return parse_topology(read_text(name_or_path), name_or_path);
}

std::string to_json(const Topology& topology) {
  Json hosts = Json::array();
  for (const Host& host : topology.hosts) {
    Json json{{"name", host.name}};
    if (!host.machine.empty()) json["machine"] = host.machine;
    if (host.speed != 1) json["speed"] = host.speed;
    if (host.cores > 0) json["cores"] = host.cores;
    hosts.push_back(std::move(json));
  }
  Json links = Json::array();
  for (const Link& link : topology.links) {
    // dump() writes the shortest decimal that reads back as the same number.
    Json json{{"from", topology.node_name(link.from)},
              {"to", topology.node_name(link.to)},
              {"bandwidth", Json(link.bytes_per_second).dump() + " B/s"},
              {"latency", std::to_string(link.latency.picoseconds) + " ps"},
              {"duplex", false}};
    if (link.header_efficiency != 1) json["header_efficiency"] = link.header_efficiency;
    if (link.burst_bytes > 0) json["burst"] = std::to_string(link.burst_bytes) + " B";
    links.push_back(std::move(json));
  }
  Json json{{"name", topology.name}, {"hosts", std::move(hosts)}};
  if (!topology.switches.empty()) json["switches"] = topology.switches;
  if (!topology.links.empty()) json["links"] = std::move(links);
  return to_text(json);
}

}  // namespace lockstep::topology
