// SPDX-License-Identifier: Apache-2.0
// A cluster as data: hosts, switches and links, and which of several shortest paths messages take.
// How routes follow from it is in routes.h, where ranks are placed in placement.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/base/ids.h"
#include "models/base/units.h"

namespace lockstep::topology {

/// A machine that ranks may be placed on.
struct Host {
  std::string name;
  std::string machine{};  // the kind of machine: a key of --machine KIND=FILE; "" = the default one
  double speed = 1;       // core-seconds are divided by this
  double cores = 0;       // cores its ranks may use; 0 = as many as its machine file says
  /// Its cores are a quota: so much processor time in every such period, after which its threads
  /// pause (a control group of Linux). Zero: they are slower processors.
  Time quota_period{};
  /// Cores and memory bandwidth are divided evenly over the sockets. Between every two of them
  /// there is a link of its own for each direction.
  std::int32_t sockets = 1;
  double socket_bytes_per_second = 0;  // of such a link; positive when there are several sockets
  Time socket_latency{};

  friend bool operator==(const Host&, const Host&) = default;
};

/// What one direction of a cable can carry.
struct Wire {
  double bytes_per_second = 0;  // raw rate, headers included
  Time latency;
  /// Share of the raw rate that carries payload (TCP over Ethernet at MTU 1500: 1448 of 1538).
  double header_efficiency = 1;
  /// Bytes that pass at line rate after idling (a token bucket's depth); 0 = none.
  std::uint64_t burst_bytes = 0;
  /// Bytes, headers included, that wait for it at a switch before packets are lost; 0 = not said.
  /// Only what is simulated packet by packet heeds it.
  std::uint64_t queue_bytes = 0;

  double payload_bytes_per_second() const { return bytes_per_second * header_efficiency; }
  friend bool operator==(const Wire&, const Wire&) = default;
};

/// A full-duplex cable.
struct Cable {
  Wire there;
  Wire back;

  friend bool operator==(const Cable&, const Cable&) = default;
};

/// A directed link. A full-duplex cable is two of them.
struct Link : Wire {
  std::int32_t from = 0;  // nodes: hosts first (0 … hosts−1), then switches
  std::int32_t to = 0;

  friend bool operator==(const Link&, const Link&) = default;
};

/// Which of the shortest paths (least number of links) between two hosts a flow takes.
enum class Routing : std::uint8_t {
  First,  // at every node the link that comes first in the file
  Hash,   // at every node one link, by a hash of the flow's ends and stream, the node and a seed
  Split,  // all of them: every node divides what it passes on evenly over the links that lead on
};

/// The links that messages from one host to another take, whatever the routing.
struct GivenRoute {
  HostId from = 0;
  HostId to = 0;
  std::vector<LinkId> links;  // in order; no node twice

  friend bool operator==(const GivenRoute&, const GivenRoute&) = default;
};

/// The regular topologies (shapes.h).
enum class Shape : std::uint8_t {
  OneHost,
  Star,
  Rails,
  Ring,
  Line,
  FullMesh,
  Torus2d,
  Torus3d,
  Hypercube,
  LeafSpine,
  FatTree,
  Dragonfly,
  TwoTier,
};

/// What a regular topology is made from.
struct Rule {
  Shape shape = Shape::OneHost;
  std::vector<std::int32_t> sizes;  // in the order of the shape's parameters
  Host host;                        // what all hosts have in common; its name is not used
  std::vector<Cable> cables;        // of the hosts, then one for each further tier of the shape

  friend bool operator==(const Rule&, const Rule&) = default;
};

struct Topology {
  std::string name;
  std::vector<Host> hosts;
  std::vector<std::string> switches;
  std::vector<Link> links;
  double processors = 0;  // that all hosts share, as virtual ones do; 0 = each has its own
  Routing routing = Routing::First;
  std::vector<GivenRoute> routes;  // at most one for each pair of hosts
  /// How it was generated, if it was: routes are found faster and files are shorter by it. Whoever
  /// adds or removes nodes or links afterwards resets it.
  std::optional<Rule> rule;

  std::int32_t nodes() const { return static_cast<std::int32_t>(hosts.size() + switches.size()); }
  bool is_host(std::int32_t node) const { return node < static_cast<std::int32_t>(hosts.size()); }
  const std::string& node_name(std::int32_t node) const;
  /// "host0->switch". Unique, as nodes have at most one link from one to another.
  std::string link_name(LinkId link) const;

  friend bool operator==(const Topology&, const Topology&) = default;
};

/// A file's text as a topology (format: topologies/README.md), and what is wrong with it. The
/// topology is only good when there are no faults.
struct CheckedTopology {
  Topology topology;
  std::vector<std::string> faults;  // each with file and place
};
CheckedTopology check_topology(const std::string& text, const std::string& where);

/// Reads a topology. Throws ConfigError with the first fault.
Topology parse_topology(const std::string& text, const std::string& where);
/// `name_or_path`: a topology that comes with the program ("one_host"), or a JSON file.
Topology load_topology(const std::string& name_or_path);
/// Of a topology that comes with the program, or of a file. Throws ConfigError.
std::string read_topology(const std::string& name_or_path);
/// The names of those that come with the program, for people: "one_host, star_8_1gbit, …".
std::string known_topologies();

/// parse_topology(to_json(t)) is t. One that was generated is written as its rule unless it was
/// changed since, or `listed`.
std::string to_json(const Topology& topology, bool listed = false);

/// A key that the rule of a shape may have; one within another's object as "uplinks.bandwidth".
struct RuleKey {
  std::string key;
  std::string help;  // "" where the key without its prefix says it
};
std::vector<RuleKey> rule_keys(Shape shape);
/// The topology of that shape from keys of its rule and their values: ("hosts", "4"). Throws
/// ConfigError as for a file; `where` is the command.
using Words = std::vector<std::pair<std::string, std::string>>;
Topology generate_from_words(Shape shape, const Words& words, const std::string& where);

/// "first", "hash", "split".
std::string name_of(Routing routing);
/// Throws ConfigError for any other text.
Routing parse_routing(const std::string& text, const std::string& where);

}  // namespace lockstep::topology
