// SPDX-License-Identifier: Apache-2.0
#include "cli/job_options.h"

#include <algorithm>
#include <utility>

#include "cli/job_faults.h"
#include "models/base/errors.h"
#include "models/cost/turns.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

struct JobFlag {
  const char* flag;
  const char* help;
};

/// Flags that set the job's field of the same name.
constexpr JobFlag kJobFlags[] = {
    {"network", "network of the zoo (fashion-cnn, lenet5) or a JSON file"},
    {"batch", "images per iteration, all ranks together"},
    {"ranks", "worker processes"},
    {"threads", "computing threads of each rank"},
    {"iterations", "SGD updates"},
    {"algorithm",
     "all-reduce algorithm: ring, recursive-doubling, halving-doubling, binomial-tree, "
     "double-tree, hierarchical, torus, bcube, parameter-server; auto: the one that is predicted "
     "to be fastest, with its size of segments"},
    {"group-by", "groups of the hierarchical algorithm: host, rack, or so many consecutive ranks"},
    {"servers", "parameter servers, on ranks 0, 1, …, which train too (0 = all ranks)"},
    {"streams", "parts of a bucket that are reduced side by side, on connections of their own"},
    {"intra-host",
     "messages between ranks of one host: tcp, unix (sockets) or shm (shared memory)"},
    {"bucket-bytes", "gradients reduced together, at least (\"1 MiB\")"},
    {"buckets-in-flight", "buckets reduced at one time"},
    {"segment-bytes", "largest message (\"256 KiB\"; 0 = a whole chunk)"},
    {"overlap", "on: reduce buckets during the backward pass; off: after it"},
    {"compression",
     "of gradients: fp16, bf16, top-k:0.01, dgc:0.01, random-k:0.01, ef-sign, sign-vote, one-bit, "
     "qsgd:4, terngrad, terngrad-shared, powersgd:2, none; or by layer, "
     "\"dense=powersgd:2,conv*=fp16\"; auto: for each bucket what is predicted to pay, if "
     "anything"},
    {"batch-norm", "statistics per-rank, or synchronised over all ranks"},
    {"batch-growth",
     "FACTOR@ITERATION,…: from there on the batch is so many times what it was, the rate stays "
     "(Smith et al. 2018), and ranks go through their shares in as many more micro-batches"},
    {"accumulate", "micro-batches in which each rank goes through its share of the batch"},
    {"local-steps",
     "local SGD: each rank updates by its own gradients, and parameters (running means too) are "
     "averaged every so many iterations, by the all-reduce; momentum and moments stay with their "
     "rank and are not averaged (1 = in every iteration; default 0: synchronous)"},
    {"local-from", "post-local SGD: synchronous until this iteration (default 0)"},
    {"staleness",
     "asynchronous parameter server (--algorithm parameter-server): servers, which are all ranks, "
     "apply each rank's gradients as they come, and hand it the parameters of that moment. A "
     "number S: a rank begins iteration i+S+1 only when all gradients of iteration i are applied "
     "(0 = as synchronous, but for rounding); unbounded: nobody waits. Default off: synchronous"},
    {"learning-rate", "the base rate, on the mean loss over the global batch"},
    {"rate-scaling", "with batch ÷ base-batch: none, linear, or sqrt"},
    {"base-batch", "the batch that the base rate was found for (default 64)"},
    {"warm-up", "iterations over which the rate grows to its peak"},
    {"rate-policy", "then: constant, step, cosine, polynomial, or exponential"},
    {"rate-drops", "of step: iterations from which on the rate is lower (\"3000,4500\")"},
    {"drop-factor", "of step (default 0.1)"},
    {"rate-end", "of the others: last rate ÷ peak (default 0); exponential rises above 1"},
    {"rate-power", "of polynomial (default 1)"},
    {"noise-scale",
     "on: estimate how large a batch still helps, from gradients of ranks or "
     "micro-batches"},
    {"optimizer", "sgd, nesterov, lars, lamb, or adam"},
    {"momentum", "v = momentum·v + gradient; of lamb and adam beta 1"},
    {"weight-decay", "of weights, not of biases and normalisations (default 0)"},
    {"beta2", "of lamb and adam (default 0.999)"},
    {"epsilon", "of lars, lamb and adam: added to denominators (default 1e-8)"},
    {"trust", "of lars: its rate of a tensor is trust·|w|/|gradient| of the rate (default 0.001)"},
    {"topology", "a JSON file, or one that comes with lockstep (topology check --help lists them)"},
    {"placement", "ranks on hosts: packed, scattered, or a JSON file with each rank's host"},
    {"fidelity", "of the simulation: ideal (nothing contended), flow, or packet "
     "(what hosts send each other, packet by packet through TCP and queues)"},
    {"data", "folder of IDX or JPEG files (default: Debian's Fashion-MNIST)"},
    {"input", "what loading an image takes: pixels or jpeg; train sees by itself"},
    {"test-share", "of JPEG files, put aside for testing (default 0.2)"},
    {"augment", "on: train on another crop, mirrored or not, in every epoch"},
    {"decode-threads", "of each rank, that decode JPEG files ahead of training"},
    {"cache", "keep decoded images: in \"memory\" (of each rank), or in this folder"},
    {"cache-bytes", "the most that a cache takes (\"8 GiB\")"},
    {"pixel-mean", "of pixels from 0 to 1, for all channels or each (\"0.5,0.5,0.4\")"},
    {"pixel-std", "the network sees (pixel - mean) / std"},
    {"seed", "of initial parameters and the order of images"},
};

std::string key_of(std::string flag) {
  std::replace(flag.begin(), flag.end(), '-', '_');
  return flag;
}

}  // namespace

void set_job_flag(training::Job& job, const std::string& flag, const std::string& text) {
  // A word without a slash or an ending is meant as packed or scattered.
  if (flag == "placement" && text.find_first_of("/.") != std::string::npos)
    job.placement = topology::load_placement(text);
  else
    training::set_field(job, key_of(flag), text, "--" + flag);
}

void add_job_options(options::options_description& description) {
  auto add = description.add_options();
  add("job", options::value<std::string>(), "job file, or a result file; flags override it");
  for (const JobFlag& flag : kJobFlags)
    add(flag.flag, options::value<std::string>(), flag.help);
  add("batch-per-rank", options::value<std::string>(), "instead of --batch: images of each rank");
  add("machine", options::value<std::vector<std::string>>()->composing(),
      "[KIND=]FILE: machine file of hosts (of that kind), from lockstep calibrate");
}

training::Job read_job(const options::variables_map& values) {
  training::Job job;
  if (values.count("job")) job = training::load_job(values["job"].as<std::string>());
  read_flags(values, job);
  return job;
}

void read_flags(const options::variables_map& values, training::Job& job) {
  for (const JobFlag& flag : kJobFlags)
    if (values.count(flag.flag)) set_job_flag(job, flag.flag, values[flag.flag].as<std::string>());
  if (values.count("batch-per-rank")) {
    if (values.count("batch"))
      throw ConfigError("--batch-per-rank", "cannot be given together with --batch");
    const std::int64_t batch =
        whole_number(values, "batch-per-rank", 1, 1 << 24) * std::int64_t{job.ranks};
    training::set_field(job, "batch", std::to_string(batch), "--batch-per-rank");
  }
}

ResolvedJob resolve(const training::Job& job) {
  return resolve(job, network::load_network(job.network), topology::load_topology(job.topology));
}

ResolvedJob resolve(const training::Job& job, network::Network network,
                    topology::Topology topology) {
  check_fits_together(job, network);
  ResolvedJob resolved;
  resolved.job = job;
  resolved.network = std::move(network);
  resolved.topology = std::move(topology);
  resolved.host_of_rank =
      topology::place(resolved.topology, job.ranks, job.placement, "--placement");
  resolved.iteration = training::make_iteration(
      job, resolved.network,
      topology::group_ranks(resolved.topology, resolved.host_of_rank, job.group_by));
  return resolved;
}

std::vector<std::int32_t> ResolvedJob::batch_of_rank() const {
  if (!conditions.batches.empty()) return conditions.batches;
  std::vector<std::int32_t> batches;
  for (Rank rank = 0; rank < job.ranks; ++rank)
    batches.push_back(training::first_of_share(job.batch, job.ranks, rank + 1) -
                      training::first_of_share(job.batch, job.ranks, rank));
  return batches;
}

std::vector<std::int32_t> ResolvedJob::independent_shares() const {
  return job.staleness ? batch_of_rank() : std::vector<std::int32_t>{};
}

std::vector<std::string> ResolvedJob::host_name_of_rank() const {
  std::vector<std::string> names;
  for (const HostId host : host_of_rank)
    names.push_back(topology.hosts[static_cast<std::size_t>(host)].name);
  return names;
}

Machines read_machines(const options::variables_map& values) {
  Machines machines;
  if (!values.count("machine")) return machines;
  for (const std::string& text : values["machine"].as<std::vector<std::string>>()) {
    const std::size_t equals = text.find('=');
    const std::string kind = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string path = equals == std::string::npos ? text : text.substr(equals + 1);
    if (!machines.emplace(kind, cost::load_machine(path)).second)
      throw ConfigError("--machine", "given twice for the kind \"" + kind + "\"");
  }
  return machines;
}

namespace {

/// Of each rank.
struct MachinesOfRanks {
  std::vector<const cost::Machine*> machines;
  std::vector<double> speeds;
};

MachinesOfRanks machines_of_ranks(const topology::Topology& topology,
                                  const std::vector<HostId>& host_of_rank,
                                  const Machines& machines) {
  MachinesOfRanks of_ranks;
  for (const HostId id : host_of_rank) {
    const topology::Host& host = topology.hosts[static_cast<std::size_t>(id)];
    const auto machine = machines.find(host.machine);
    if (machine == machines.end())
      throw ConfigError("--machine", "host \"" + host.name + "\" of topology \"" + topology.name +
                                         "\" is of kind \"" + host.machine +
                                         "\", which has no machine file; give " +
                                         (host.machine.empty() ? "" : host.machine + "=") +
                                         "FILE (lockstep calibrate writes one)");
    of_ranks.machines.push_back(&machine->second);
    of_ranks.speeds.push_back(host.speed);
  }
  return of_ranks;
}

}  // namespace

double walked_bytes(const schedule::Schedule& schedule, const std::vector<HostId>& host_of_rank) {
  std::map<HostId, double> ranks_of_host;
  double most = 0;
  for (const HostId host : host_of_rank)
    most = std::max(most, ++ranks_of_host[host]);
  double bytes = 0;
  for (const schedule::Buffer& buffer : schedule.buffers)
    bytes += static_cast<double>(buffer.count * bytes_of(buffer.type));
  return most * bytes;
}

ComputingHost computing_host(const ResolvedJob& resolved, Rank rank, const cost::Machine& machine) {
  const HostId id = resolved.host_of_rank[static_cast<std::size_t>(rank)];
  const topology::Host& host = resolved.topology.hosts[static_cast<std::size_t>(id)];
  const auto ranks = std::count(resolved.host_of_rank.begin(), resolved.host_of_rank.end(), id);
  ComputingHost computing{.cores = host.cores > 0 ? host.cores : machine.cores,
                          .threads = static_cast<double>(ranks * resolved.job.threads),
                          .has_quota = host.quota_period > Time{}};
  if (computing.has_quota)
    computing.slowdown = cost::quota_slowdown(machine, computing.cores, computing.threads);
  return computing;
}

cost::CostModel make_cost_model(const ResolvedJob& resolved, const Machines& machines) {
  MachinesOfRanks of_ranks = machines_of_ranks(resolved.topology, resolved.host_of_rank, machines);
  for (std::size_t rank = 0; rank < of_ranks.speeds.size(); ++rank) {
    const cost::Machine& machine = *of_ranks.machines[rank];
    of_ranks.speeds[rank] /= computing_host(resolved, static_cast<Rank>(rank), machine).slowdown;
  }
  return cost::CostModel(
      resolved.network, resolved.iteration.works, resolved.batch_of_rank(), resolved.job.threads,
      std::move(of_ranks.machines), std::move(of_ranks.speeds),
      {.how = resolved.job.intra_host,
       .working_set_bytes = walked_bytes(resolved.iteration.schedule, resolved.host_of_rank)},
      resolved.iteration.codes);
}

cost::CostModel make_cost_model(const topology::Topology& topology,
                                const std::vector<HostId>& host_of_rank, const Machines& machines,
                                const cost::WithinHosts& within_hosts) {
  MachinesOfRanks of_ranks = machines_of_ranks(topology, host_of_rank, machines);
  return cost::CostModel(std::move(of_ranks.machines), std::move(of_ranks.speeds), within_hosts);
}

}  // namespace lockstep::cli
