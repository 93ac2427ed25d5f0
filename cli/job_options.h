// SPDX-License-Identifier: Apache-2.0
// The job options, the same for every subcommand, and what they resolve to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "models/conditions/conditions.h"
#include "models/cost/cost_model.h"
#include "models/network/network.h"
#include "models/topology/topology.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::cli {

void add_job_options(options::options_description& description);
/// Sets the field of a job that a flag of add_job_options() names. Throws ConfigError.
void set_job_flag(training::Job& job, const std::string& flag, const std::string& text);

/// A job with everything it names loaded, checked to fit together.
struct ResolvedJob {
  training::Job job;
  network::Network network;
  topology::Topology topology;
  std::vector<HostId> host_of_rank;
  training::Iteration iteration;
  conditions::Conditions conditions{};  // of a prediction
  std::vector<ResolvedJob> others{};    // those of the conditions
  Time start{};                         // if it is one of others

  std::vector<std::int32_t> batch_of_rank() const;
  /// The same if ranks do not wait for each other, else nothing: see results::summarise().
  std::vector<std::int32_t> independent_shares() const;
  std::vector<std::string> host_name_of_rank() const;
};

/// --job FILE, then the flags over it. Throws ConfigError.
training::Job read_job(const options::variables_map& values);
/// The flags over a job that is there already. Throws ConfigError.
void read_flags(const options::variables_map& values, training::Job& job);
/// Loads the network and the topology, places the ranks, builds the iteration. Throws ConfigError.
ResolvedJob resolve(const training::Job& job);
ResolvedJob resolve(const training::Job& job, network::Network network,
                    topology::Topology topology);

/// Machine files by kind; "" is the kind of hosts that name none.
using Machines = std::map<std::string, cost::Machine>;
/// --machine [KIND=]FILE, any number of them.
Machines read_machines(const options::variables_map& values);
/// The bytes of a schedule's buffers, of all ranks of the host that has the most.
double walked_bytes(const schedule::Schedule& schedule, const std::vector<HostId>& host_of_rank);
/// The host of a rank: its cores, how many threads of all its ranks compute, and by how much more
/// processor time that takes where the cores are a quota.
struct ComputingHost {
  double cores = 0;
  double threads = 0;
  bool has_quota = false;
  double slowdown = 1;
};
ComputingHost computing_host(const ResolvedJob& resolved, Rank rank, const cost::Machine& machine);
/// The cost model of a resolved job. Throws ConfigError when a host's kind has no machine file.
/// `machines` must outlive it.
cost::CostModel make_cost_model(const ResolvedJob& resolved, const Machines& machines);
/// The same for a collective alone.
cost::CostModel make_cost_model(const topology::Topology& topology,
                                const std::vector<HostId>& host_of_rank, const Machines& machines,
                                const cost::WithinHosts& within_hosts);

}  // namespace lockstep::cli
