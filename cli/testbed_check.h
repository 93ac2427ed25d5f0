// SPDX-License-Identifier: Apache-2.0
// Whether this machine can do what a testbed needs, and what killed testbeds have left.
#pragma once

#include "cli/command_line.h"
#include "exec/testbed/quota.h"

namespace lockstep::cli {

/// lockstep testbed check, lockstep testbed clean.
int run_testbed_check(const Arguments& arguments);
int run_testbed_clean(const Arguments& arguments);

/// Removes leftovers and says so; warns of testbeds that are running.
void clean_before(const exec::ControlGroups& groups);

}  // namespace lockstep::cli
