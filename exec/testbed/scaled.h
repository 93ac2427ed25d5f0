// SPDX-License-Identifier: Apache-2.0
// What a topology becomes on this machine: the cluster that is really there, which a prediction has
// to be about.
#pragma once

#include <string>
#include <vector>

#include "models/topology/topology.h"

namespace lockstep::exec {

struct Scaling {
  double processors = 1;        // this machine's
  double share = 0.8;           // of them that all hosts get together, at most
  bool has_quotas = true;       // without them all hosts share all processors
  double bandwidth_factor = 1;  // what the rates of all links are multiplied by
};

struct Scaled {
  topology::Topology topology;
  double processor_factor = 1;        // what every host's processing power was multiplied by
  std::vector<std::string> cautions;  // what is not as the topology says, for people
};

/// Every host is one of this machine's kind, and its cores are its quota of this machine: the same
/// multiple, at most 1, of its cores (as many as this machine's where the topology doesn't say)
/// times its speed; without quotas, all of this machine's. Links have the rates of the topology
/// times the factor, the header efficiency of what the kernel counts, a token bucket's burst, and
/// no latency. A route that a hash draws is drawn once for each pair of hosts and given. `where` is
/// the topology's file. Throws ConfigError for what can't be built: too many hosts for this
/// machine's processors, flows that are split.
Scaled scale(const topology::Topology& topology, const Scaling& scaling, const std::string& where);

/// Two hosts on a switch for measuring what two hosts can: with so many `cores`, or, for 0, all
/// that hosts of this machine get. `bandwidth` as in a topology's file.
Scaled two_hosts(const std::string& bandwidth, double cores = 0);

}  // namespace lockstep::exec
