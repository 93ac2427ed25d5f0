// SPDX-License-Identifier: Apache-2.0
// A cluster as data: hosts, links and routes, and where the ranks are placed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/base/units.h"

namespace lockstep::topology {

/// A machine that ranks may be placed on.
struct Host {
  std::string name;
  std::string machine;  // the kind of machine: a key of --machine KIND=FILE; "" = the default one
  double speed = 1;     // core-seconds are divided by this
  double cores = 0;     // cores its ranks may use; 0 = as many as its machine file says
};

/// A directed cable. A full-duplex cable is two of them.
struct Link {
  std::string name;       // "host0->switch"
  std::int32_t from = 0;  // nodes: hosts first (0 … hosts−1), then switches
  std::int32_t to = 0;
  double bytes_per_second = 0;  // raw rate, headers included
  Time latency;
  /// Share of the raw rate that carries payload (TCP over Ethernet at MTU 1500: 1448 of 1538).
  double header_efficiency = 1;
  /// Bytes that pass at line rate after idling (a token bucket's depth); 0 = none.
  std::uint64_t burst_bytes = 0;

  double payload_bytes_per_second() const { return bytes_per_second * header_efficiency; }
};

struct Topology {
  std::string name;
  std::vector<Host> hosts;
  std::vector<std::string> switches;
  std::vector<Link> links;

  std::string node_name(std::int32_t node) const;
};

/// The links from one host to another, in order; empty when both are the same host (loopback).
/// Shortest path by number of links; among equals the one whose links come first in the file.
/// Hosts pass on what is not for them, as switches do. Rows are computed when first asked for, one
/// for each switch that has hosts with a single cable and for each other host that sends.
/// The topology must outlive the routes.
class Routes {
 public:
  explicit Routes(const Topology& topology);
  /// Valid until the next call.
  const std::vector<LinkId>& between(HostId from, HostId to);

 private:
  /// For each node the last link of the shortest path to it from node `root`; −1 without one.
  const std::vector<LinkId>& row(std::int32_t root);

  const Topology& topology_;
  std::vector<std::vector<LinkId>> links_out_;  // of each node
  std::vector<std::vector<LinkId>> rows_;       // of each node, empty until needed
  std::vector<LinkId> path_;                    // the answer of the last call
};

enum class PlacementKind : std::uint8_t { Packed, Scattered };

/// rank → host. Packed: ranks 0 … k−1 on host 0, and so on, k = ⌈ranks / hosts⌉ as evenly as it
/// goes; scattered: rank r on host r mod hosts.
std::vector<HostId> place(const Topology& topology, std::int32_t ranks, PlacementKind kind);

/// Which ranks form a group: those of a host; those of a rack, the hosts whose first cable leads to
/// the same switch; or so many consecutive ones.
struct GroupBy {
  enum class Kind : std::uint8_t { Host, Rack, Consecutive };
  Kind kind = Kind::Host;
  std::int32_t ranks = 0;  // Consecutive: of a group, at least 1; the last one may have fewer

  friend bool operator==(const GroupBy&, const GroupBy&) = default;
};

/// rank → group, numbered from 0 in the order of their first ranks.
std::vector<std::int32_t> group_ranks(const Topology& topology,
                                      std::span<const HostId> host_of_rank, const GroupBy& by);

/// Reads a topology (format: topologies/README.md). Throws ConfigError that names file and place.
Topology parse_topology(const std::string& text, const std::string& where);
/// `name_or_path`: a topology that comes with the program ("one_host"), or a JSON file.
Topology load_topology(const std::string& name_or_path);
/// The explicit form, all hosts and links listed: parse_topology(to_json(t)) is t.
std::string to_json(const Topology& topology);

}  // namespace lockstep::topology
