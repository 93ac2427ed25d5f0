// SPDX-License-Identifier: Apache-2.0
#include "models/training/iteration.h"

namespace lockstep::training {

namespace {

using network::Network;
using network::Work;
using network::WorkKind;

const char* name_of(WorkKind kind) {
  switch (kind) {
    case WorkKind::Input:
      return "input";
    case WorkKind::Sums:
      return "sums";
    case WorkKind::Forward:
      return "forward";
    case WorkKind::Loss:
      return "loss";
    case WorkKind::GradientSums:
      return "gradient sums";
    case WorkKind::Backward:
      return "backward";
    case WorkKind::Accumulate:
      return "accumulate";
    case WorkKind::PartNorm:
      return "norm";
    case WorkKind::WholeNorm:
      return "norm of the whole";
    case WorkKind::Update:
      return "update";
    case WorkKind::Weigh:
      return "weigh";
    case WorkKind::Adopt:
      return "adopt";
    case WorkKind::Apply:
      return "apply";
    case WorkKind::HandOut:
      return "hand out";
  }
  return "";
}

std::size_t bucket_of(const Iteration& iteration, std::uint64_t element) {
  std::size_t bucket = 0;
  while (iteration.buckets[bucket].first + iteration.buckets[bucket].count <= element)
    ++bucket;
  return bucket;
}

}  // namespace

std::vector<std::string> work_names(const Iteration& iteration, const Network& network) {
  std::vector<std::string> names;
  for (const Work& work : iteration.works) {
    std::string name = name_of(work.kind);
    if (work.stage >= 0)
      name += " " + network.first_layer(network.stages[static_cast<std::size_t>(work.stage)]).name;
    if (network::is_per_parameter(work.kind))
      name += " " + std::to_string(bucket_of(iteration, work.first));
    if (work.micro_batches > 1) name += " of micro-batch " + std::to_string(work.micro_batch);
    names.push_back(name);
  }
  return names;
}

}  // namespace lockstep::training
