// SPDX-License-Identifier: Apache-2.0
#include "models/training/job.h"

#include "models/training/job_json.h"

namespace lockstep::training {

std::string algorithm_of(const Job& job) {
  std::string text = collectives::name_of(job.algorithm);
  if (job.algorithm == collectives::Algorithm::Hierarchical) {
    const bool by_number = job.group_by.kind == topology::GroupBy::Kind::Consecutive;
    text += " by " + name_of(job.group_by) + (by_number ? " ranks" : "");
  }
  if (job.algorithm == collectives::Algorithm::ParameterServer)
    text +=
        job.servers == 0 ? ", all ranks serve" : ", " + std::to_string(job.servers) + " servers";
  return text;
}

std::int32_t first_of_share(std::int32_t batch, std::int32_t ranks, Rank rank) {
  return network::first_of_part(batch, ranks, rank);
}

bool is_local(const Job& job, std::int32_t iteration) {
  return job.local_steps > 0 && iteration >= job.local_from;
}

bool ranks_differ(const Job& job, std::int32_t iterations) {
  return job.ranks > 1 && (job.staleness || is_local(job, iterations - 1));
}

bool parameters_differ(const Job& job, std::int32_t iterations) {
  if (job.staleness) return job.ranks > 1 && *job.staleness > 0;
  return ranks_differ(job, iterations) && (iterations - job.local_from) % job.local_steps != 0;
}

namespace {

std::string describe_staleness(const Job& job) {
  const std::string seen = *job.staleness == kUnboundedStaleness
                               ? "unbounded"
                               : std::to_string(*job.staleness) + " (a worker begins iteration i+" +
                                     std::to_string(*job.staleness + 1) +
                                     " only when all gradients of iteration i are applied)";
  return "asynchronous, staleness " + seen +
         ": servers apply each rank's gradients as they come, weighted by its images, so that one "
         "iteration of all ranks is one global batch; momentum is the server's and decays once in "
         "as many gradients as there are ranks, by which the rate goes, too";
}

}  // namespace

std::string describe_averaging(const Job& job) {
  if (job.staleness) return describe_staleness(job);
  if (job.local_steps == 0) return "synchronous: gradients are summed in every iteration";
  const std::string from =
      job.local_from > 0 ? " from iteration " + std::to_string(job.local_from) + " on" : "";
  return "local" + from + ": parameters, running means included, are averaged every " +
         std::to_string(job.local_steps) +
         " iteration(s), weighted by each rank's images; momentum and moments stay with their rank";
}

}  // namespace lockstep::training
