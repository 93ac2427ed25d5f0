// SPDX-License-Identifier: Apache-2.0
// From a collective's schedule and machine files to a predicted time.
#pragma once

#include <string>
#include <vector>

#include "cli/job_options.h"
#include "models/base/intra_host.h"
#include "models/schedule/schedule.h"
#include "models/topology/topology.h"

namespace lockstep::cli {

/// Where a collective runs.
struct Cluster {
  topology::Topology topology;
  std::vector<HostId> host_of_rank;
  IntraHost intra_host = IntraHost::Tcp;
  const Machines* machines = nullptr;  // must outlive it
};

struct CollectivePrediction {
  double seconds = 0;  // of one, many back to back
  /// What takes most of it: "processor 0 (98 %)", "link a->switch (91 %)", "latency of 14 rounds".
  std::string dominated_by;
};

/// "processor 0 (98 %)".
std::string with_share(const std::string& what, double share);

/// Throws ConfigError when a host's kind has no machine file.
CollectivePrediction predict_collective(const schedule::Schedule& schedule, const Cluster& cluster);

}  // namespace lockstep::cli
