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

}  // namespace lockstep::training
