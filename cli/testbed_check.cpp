// SPDX-License-Identifier: Apache-2.0
#include "cli/testbed_check.h"

#include <cstdio>
#include <iostream>
#include <thread>

#include "exec/testbed/link_rates.h"
#include "exec/testbed/scaled.h"
#include "exec/testbed/testbed.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/topology/topology.h"

namespace lockstep::cli {

namespace {

/// Tries something; prints what comes out of it, or why it can't be. Returns whether it can.
template <typename Try>
bool report(const char* what, Try attempt) {
  try {
    std::printf("  %-22s %s\n", what, attempt().c_str());
    return true;
  } catch (const ConfigError& error) {
    std::printf("  %-22s no: %s\n", what, error.what());
    return false;
  }
}

}  // namespace

int run_testbed_check(const Arguments& arguments) {
  if (arguments.size() > 1)
    throw ConfigError("testbed check", "expected nothing more, is \"" + arguments[1] + "\"");
  std::printf("processors: %u, of which hosts get 80 %% together\n",
              std::thread::hardware_concurrency());
  std::puts("this machine can make");
  bool can = report("network namespaces", [] {
    const exec::Namespace home = exec::Namespace::current();
    exec::Namespace::make(home);
    return std::string("yes");
  });
  const bool has_quotas = report("quotas of processors", [] {
    const exec::ControlGroups groups = exec::control_groups_for_hosts();
    const exec::HostQuotas quotas({0.5});
    return "yes, by control groups version " + std::to_string(groups.version) + " in " +
           groups.root;
  });
  can = can && report("links with a rate", [] {
          const exec::Scaled star = exec::two_hosts("100 Mbit/s");
          const exec::Testbed testbed(star.topology, false);
          char text[64];
          std::snprintf(text, sizeof text, "yes, within %.1f %% at 100 Mbit/s",
                        100 * exec::verify_links(testbed, 0.25));
          return std::string(text);
        });
  if (can)
    report("the fastest link", [] {
      const exec::Scaled star = exec::two_hosts("100 Gbit/s");
      const exec::Testbed testbed(star.topology, false);
      const LinkId link = 0;
      return format_bitrate(exec::measure_links(testbed, std::span(&link, 1)).front());
    });
  std::puts("  latency                no: links have none but what the kernel takes");
  if (can && has_quotas)
    std::puts("testbeds work here");
  else if (can)
    std::puts("testbeds work here with --no-quota only");
  else
    std::puts("testbeds do not work here");
  return can && has_quotas ? kFine : kCheckFailed;
}

int run_testbed_clean(const Arguments& arguments) {
  if (arguments.size() > 1)
    throw ConfigError("testbed clean", "expected nothing more, is \"" + arguments[1] + "\"");
  const std::vector<std::string> removed = exec::remove_leftovers(exec::control_groups_for_hosts());
  for (const std::string& run : removed)
    std::printf("removed %s\n", run.c_str());
  if (removed.empty()) std::puts("nothing was left");
  return kFine;
}

void clean_before(const exec::ControlGroups& groups) {
  for (const std::string& run : exec::remove_leftovers(groups))
    std::fprintf(stderr, "caution: removed what a killed testbed had left: %s\n", run.c_str());
  if (const int running = exec::living_runs(groups); running > 0)
    std::fprintf(stderr, "caution: %d other testbed(s) are running on this machine's processors\n",
                 running);
}

}  // namespace lockstep::cli
