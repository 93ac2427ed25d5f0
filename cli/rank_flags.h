// SPDX-License-Identifier: Apache-2.0
// The flags that say which rank of a job a process is, and those that the local launcher adds.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "exec/launch/session.h"
#include "exec/testbed/testbed.h"
#include "models/base/ids.h"

namespace lockstep::cli {

/// --rank, --rendezvous, --secret-file, --timeout, --rendezvous-timeout, --no-binding.
void add_rank_options(options::options_description& description);
/// What the launcher hands to the ranks that it starts; not for people.
void add_launcher_options(options::options_description& description);

/// Whether this process is one rank, rather than the launcher of all.
bool is_rank(const options::variables_map& values);
/// Throws ConfigError. Warns when strangers could join.
exec::RankOptions rank_options(const options::variables_map& values, std::int32_t ranks);

/// Starts a process of this program for each rank with these arguments, the subcommand first, in
/// its host of the testbed if there is one; sees them through and returns the exit status of the
/// whole.
int launch_ranks(const Arguments& arguments, const options::variables_map& values,
                 const std::vector<HostId>& host_of_rank, const exec::Testbed* testbed = nullptr);

}  // namespace lockstep::cli
