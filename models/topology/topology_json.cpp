// SPDX-License-Identifier: Apache-2.0
// Reads the JSON form of a topology (topologies/README.md), with faults that name file and place.
#include <unordered_map>
#include <unordered_set>

#include "models/base/embedded.h"
#include "models/topology/element_json.h"
#include "models/topology/generators.h"
#include "models/topology/placement.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {
namespace {

using Keys = ObjectReader::Keys;

constexpr double kLeastProcessors = 0.1;

Keys with(Keys keys, const Keys& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

/// Reads one file. Each element of each list is attempted for itself.
class Reading {
 public:
  explicit Reading(std::string file) : file_(std::move(file)) {}

  CheckedTopology read(const std::string& text) {
    Json json;
    if (faults_.attempt([&] { json = parse_json(text, file_); })) read_file(json);
    return {std::move(topology_), faults_.take()};
  }

 private:
  void read_file(const Json& json) {
    static const Keys keys{"name",     "hosts",      "switches", "link_defaults", "links",
                           "generate", "processors", "routing",  "routes"};
    const auto root = open(json, file_, "", keys, faults_);
    if (!root) return;
    if (root->has("generate")) {
      for (const char* key : {"hosts", "switches", "link_defaults", "links"})
        if (root->has(key)) faults_.add(root->place(key), "comes beside \"generate\"");
      const auto rule = read_rule(root->value("generate"), file_, "/generate", faults_);
      if (!rule || !faults_.empty()) return;
      topology_ = generate(*rule);
    }
    faults_.attempt(
        [&] { topology_.name = checked_name(root->value("name"), root->place("name")); });
    if (!root->has("generate")) read_lists(*root);
    if (root->has("processors"))
      faults_.attempt(
          [&] { topology_.processors = root->number("processors", kLeastProcessors, kMaxCores); });
    if (root->has("routing"))
      faults_.attempt([&] {
        topology_.routing = parse_routing(root->text("routing"), root->place("routing"));
      });
    if (root->has("routes") && faults_.empty()) read_routes(*root);
  }

  void read_lists(const ObjectReader& root) {
    each(root, "hosts", true,
         [&](const Json& host, const std::string& pointer) { read_host_entry(host, pointer); });
    if (root.has("hosts") && root.value("hosts").is_array() && root.value("hosts").empty())
      faults_.add(root.place("hosts"), "must have at least one host");
    each(root, "switches", false, [&](const Json& name, const std::string& pointer) {
      std::string text = checked_name(name, place(pointer));
      add_node(text, pointer);
      topology_.switches.push_back(std::move(text));
    });
    if (root.has("link_defaults")) {
      const auto defaults = open(root.value("link_defaults"), file_, "/link_defaults",
                                 with(cable_keys(), {"duplex"}), faults_);
      if (defaults) {
        read_cable(*defaults, cable_, faults_);
        faults_.attempt([&] { duplex_ = defaults->boolean("duplex", true); });
        has_bandwidth_ = defaults->has("bandwidth");
        has_latency_ = defaults->has("latency");
      }
    }
    each(root, "links", false,
         [&](const Json& link, const std::string& pointer) { read_link(link, pointer); });
    if (faults_.empty()) check_connected(root);
  }

  std::string place(const std::string& pointer) const { return file_ + ": " + pointer; }

  /// Attempts every element of the list.
  template <typename Read>
  void each(const ObjectReader& root, const std::string& key, bool required, const Read& read) {
    if (!required && !root.has(key)) return;
    faults_.attempt([&] {
      const Json& list = root.value(key);
      if (!list.is_array())
        throw ConfigError(root.place(key), "must be a list, is " + quoted(list));
      std::size_t number = 0;
      for (const Json& element : list) {
        if (faults_.is_full()) return;
        const std::string pointer = "/" + key + "/" + std::to_string(number++);
        faults_.attempt([&] { read(element, pointer); });
      }
    });
  }

  /// A name alone is a host with nothing to say about it.
  void read_host_entry(const Json& json, const std::string& pointer) {
    static const Keys keys = with({"name"}, host_keys());
    Host host;
    if (json.is_string()) {
      host.name = checked_name(json, place(pointer));
      add_node(host.name, pointer);
    } else {
      const auto reader = open(json, file_, pointer, keys, faults_);
      if (!reader) return;
      read_host(*reader, host, faults_);
      host.name = checked_name(reader->value("name"), reader->place("name"));
      add_node(host.name, pointer + "/name");
    }
    topology_.hosts.push_back(std::move(host));
  }

  void add_node(const std::string& name, const std::string& pointer) {
    const auto number = static_cast<std::int32_t>(node_.size());
    if (number >= kMaxNodes)
      throw ConfigError(place(pointer),
                        "more than " + std::to_string(kMaxNodes) + " hosts and switches");
    if (!node_.emplace(name, number).second)
      throw ConfigError(place(pointer),
                        "the name \"" + name + "\" is taken by another host or switch");
  }

  std::int32_t node(const Json& json, const std::string& where) const {
    const std::string name = checked_name(json, where);
    const auto found = node_.find(name);
    if (found != node_.end()) return found->second;
    std::vector<std::string> names = topology_.switches;
    for (const Host& host : topology_.hosts)
      names.push_back(host.name);
    throw ConfigError(where,
                      "no host or switch is called \"" + name + "\"" + suggestion(name, names));
  }

  void read_link(const Json& json, const std::string& pointer) {
    static const Keys keys = with({"from", "to", "duplex"}, cable_keys());
    const auto reader = open(json, file_, pointer, keys, faults_);
    if (!reader) return;
    Cable cable = cable_;
    read_cable(*reader, cable, faults_);
    if (!has_bandwidth_) faults_.attempt([&] { reader->value("bandwidth"); });
    if (!has_latency_) faults_.attempt([&] { reader->value("latency"); });
    bool duplex = duplex_;
    faults_.attempt([&] { duplex = reader->boolean("duplex", duplex_); });
    if (!duplex && reader->has("reverse"))
      faults_.add(reader->place("reverse"), "comes with \"duplex\": false");
    std::int32_t from = -1;
    std::int32_t to = -1;
    faults_.attempt([&] { from = node(reader->value("from"), reader->place("from")); });
    faults_.attempt([&] { to = node(reader->value("to"), reader->place("to")); });
    if (from < 0 || to < 0) return;
    if (from == to)
      throw ConfigError(reader->place("to"),
                        "a link from \"" + topology_.node_name(from) + "\" to itself");
    add_link(*reader, cable.there, from, to);
    if (duplex) add_link(*reader, cable.back, to, from);
  }

  static std::uint64_t key_of(std::int32_t from, std::int32_t to) {
    return static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint32_t>(to);
  }

  void add_link(const ObjectReader& reader, const Wire& wire, std::int32_t from, std::int32_t to) {
    const auto number = static_cast<LinkId>(topology_.links.size());
    if (number >= kMaxLinks)
      throw ConfigError(reader.place(), "more than " + std::to_string(kMaxLinks) + " links");
    if (!link_.emplace(key_of(from, to), number).second)
      throw ConfigError(reader.place("to"), "there is a link from \"" + topology_.node_name(from) +
                                                "\" to \"" + topology_.node_name(to) +
                                                "\" already; give one link the bandwidth of both");
    topology_.links.push_back({wire, from, to});
  }

  void read_routes(const ObjectReader& root) {
    if (topology_.rule) {  // the lists were not read
      for (std::int32_t number = 0; number < topology_.nodes(); ++number)
        node_.emplace(topology_.node_name(number), number);
      for (const Link& link : topology_.links)
        link_.emplace(key_of(link.from, link.to), static_cast<LinkId>(link_.size()));
    }
    each(root, "routes", true,
         [&](const Json& route, const std::string& pointer) { read_route(route, pointer); });
  }

  /// The names of all nodes on the way: ["a", "s1", "s2", "b"].
  void read_route(const Json& json, const std::string& pointer) {
    if (!json.is_array() || json.size() < 2)
      throw ConfigError(place(pointer),
                        "must be a list of names from host to host, is " + quoted(json));
    GivenRoute route;
    std::unordered_set<std::int32_t> passed;
    std::int32_t last = -1;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const std::string where = place(pointer) + "/" + std::to_string(i);
      const std::int32_t next = node(json[i], where);
      if ((i == 0 || i + 1 == json.size()) && !topology_.is_host(next))
        throw ConfigError(where, "a route begins and ends at a host, \"" +
                                     topology_.node_name(next) + "\" is a switch");
      if (!passed.insert(next).second)
        throw ConfigError(where, "the route passes \"" + topology_.node_name(next) + "\" twice");
      if (i > 0) {
        const auto link = link_.find(key_of(last, next));
        if (link == link_.end())
          throw ConfigError(where, "there is no link from \"" + topology_.node_name(last) +
                                       "\" to \"" + topology_.node_name(next) + "\"");
        route.links.push_back(link->second);
      } else {
        route.from = next;
      }
      last = next;
    }
    route.to = last;
    if (!routed_.insert(key_of(route.from, route.to)).second)
      throw ConfigError(place(pointer), "there is a route from \"" +
                                            topology_.node_name(route.from) + "\" to \"" +
                                            topology_.node_name(route.to) + "\" already");
    topology_.routes.push_back(std::move(route));
  }

  /// Every host reaches every other if the first one reaches all and all reach the first one.
  void check_connected(const ObjectReader& root) {
    const std::vector<bool> reached = reach(&Link::from, &Link::to);
    const std::vector<bool> reaching = reach(&Link::to, &Link::from);
    const std::string& first = topology_.hosts.front().name;
    for (std::size_t host = 1; host < topology_.hosts.size() && !faults_.is_full(); ++host) {
      if (reached[host] && reaching[host]) continue;
      const std::string& name = topology_.hosts[host].name;
      faults_.add(root.place("hosts") + "/" + std::to_string(host),
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

  std::string file_;
  Faults faults_;
  Topology topology_;
  Cable cable_;  // what link_defaults says
  bool duplex_ = true;
  bool has_bandwidth_ = false;
  bool has_latency_ = false;
  std::unordered_map<std::string, std::int32_t> node_;
  std::unordered_map<std::uint64_t, LinkId> link_;  // by its ends
  std::unordered_set<std::uint64_t> routed_;
};

std::string name_of(const EmbeddedFile& file) {
  return file.name.substr(0, file.name.rfind(".json"));
}

}  // namespace

CheckedTopology check_topology(const std::string& text, const std::string& where) {
  return Reading(where).read(text);
}

Topology parse_topology(const std::string& text, const std::string& where) {
  CheckedTopology checked = check_topology(text, where);
  if (checked.faults.empty()) return std::move(checked.topology);
  const std::size_t more = checked.faults.size() - 1;
  throw ConfigError(checked.faults.front() +
                    (more == 0 ? ""
                               : "\n(and " + std::to_string(more) +
                                     " more; lockstep topology check lists them)"));
}

std::string known_topologies() {
  std::string list;
  for (const EmbeddedFile& file : embedded_topologies())
    list += (list.empty() ? "" : ", ") + name_of(file);
  return list;
}

std::string read_topology(const std::string& name_or_path) {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_topologies()) {
    names.push_back(name_of(file));
    if (names.back() == name_or_path) return file.content;
  }
  // A word without a slash or an ending was meant as a name.
  if (name_or_path.find_first_of("/.") == std::string::npos)
    throw ConfigError(name_or_path, "no topology has this name" + suggestion(name_or_path, names) +
                                        " (known: " + known_topologies() +
                                        "; or the path of a JSON file)");
  return read_text(name_or_path);
}

Topology load_topology(const std::string& name_or_path) {
  return parse_topology(read_topology(name_or_path), name_or_path);
}

Placement load_placement(const std::string& path) {
  const Json json = parse_json(read_text(path), path);
  if (!json.is_array())
    throw ConfigError(path, "must be a list of the names of all ranks' hosts, is " + quoted(json));
  Placement placement{PlacementKind::Listed, {}};
  for (const Json& name : json)
    placement.hosts.push_back(
        checked_name(name, path + ": /" + std::to_string(placement.hosts.size())));
  return placement;
}

}  // namespace lockstep::topology
