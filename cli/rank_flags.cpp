// SPDX-License-Identifier: Apache-2.0
#include "cli/rank_flags.h"

#include <cstdio>

#include "exec/launch/local_launch.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

constexpr double kDefaultTimeout = 5;

double timeout_of(const options::variables_map& values, const char* flag, double fallback) {
  return values.count(flag) ? number(values, flag, 0.1, 86400) : fallback;
}

void read_rendezvous(const std::string& where, exec::RankOptions& rank) {
  const std::size_t colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? "" : where.substr(colon + 1);
  if (colon == 0 || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535)
    throw ConfigError("--rendezvous",
                      "expected HOST:PORT such as 192.0.2.1:4711, is \"" + where + "\"");
  rank.host = where.substr(0, colon);
  if (rank.host.size() > 2 && rank.host.front() == '[' && rank.host.back() == ']')
    rank.host = rank.host.substr(1, rank.host.size() - 2);
  rank.port = static_cast<std::uint16_t>(std::stoi(port));
}

}  // namespace

void add_rank_options(options::options_description& description) {
  auto add = description.add_options();
  add("rank", options::value<std::string>(), "which rank this process is");
  add("rendezvous", options::value<std::string>(), "HOST:PORT where rank 0 listens");
  add("secret-file", options::value<std::string>(),
      "what all ranks know and strangers do not; the same content everywhere");
  add("timeout", options::value<std::string>(),
      "seconds of silence after which a rank is lost (default 5)");
  add("rendezvous-timeout", options::value<std::string>(),
      "seconds for all ranks to come (default 30; --timeout if that is given)");
  add("no-binding",
      "let the kernel choose processors; else ranks that share a host each keep to a part of them");
}

void add_launcher_options(options::options_description& description) {
  description.add_options()("secret-fd", options::value<std::string>())(
      "rendezvous-fd", options::value<std::string>());
}

bool is_rank(const options::variables_map& values) {
  return values.count("rank") > 0;
}

exec::RankOptions rank_options(const options::variables_map& values, std::int32_t ranks) {
  if (values.count("rank") != values.count("rendezvous"))
    throw ConfigError(values.count("rank") ? "--rank" : "--rendezvous",
                      "--rank and --rendezvous go together");
  exec::RankOptions rank;
  rank.ranks = ranks;
  rank.timeout_seconds = timeout_of(values, "timeout", kDefaultTimeout);
  rank.rendezvous_timeout_seconds =
      timeout_of(values, "rendezvous-timeout", values.count("timeout") ? rank.timeout_seconds : 30);
  if (values.count("rank"))
    rank.rank = static_cast<Rank>(whole_number(values, "rank", 0, ranks - 1));
  if (values.count("secret-file"))
    rank.secret = exec::load_secret(values["secret-file"].as<std::string>());
  if (values.count("secret-fd")) {
    rank.secret =
        exec::read_secret(static_cast<int>(whole_number(values, "secret-fd", 0, 1 << 20)));
  }
  if (values.count("rendezvous-fd"))
    rank.listening_socket = static_cast<int>(whole_number(values, "rendezvous-fd", 0, 1 << 20));
  if (values.count("rendezvous")) read_rendezvous(values["rendezvous"].as<std::string>(), rank);
  rank.loopback_only = values.count("secret-fd") && rank.host == "127.0.0.1";
  if (values.count("rank") && !values.count("secret-file") && !values.count("secret-fd"))
    std::fprintf(stderr,
                 "caution: without --secret-file anybody who reaches the port may join the job\n");
  return rank;
}

int launch_ranks(const Arguments& arguments, const options::variables_map& values,
                 const std::vector<HostId>& host_of_rank, const exec::Testbed* testbed) {
  exec::LocalLaunch launch;
  launch.ranks = static_cast<std::int32_t>(host_of_rank.size());
  launch.timeout_seconds = timeout_of(values, "timeout", kDefaultTimeout);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--ranks")  // the launcher's to give
      ++i;
    else if (!arguments[i].starts_with("--ranks="))
      launch.arguments.push_back(arguments[i]);
  }
  if (testbed != nullptr) {
    launch.listener = testbed->listen(host_of_rank[0], exec::address_of(host_of_rank[0]));
    launch.enter = [&](Rank rank) {
      return testbed->enter(host_of_rank[static_cast<std::size_t>(rank)]);
    };
  }
  return exec::launch_local_ranks(launch);
}

}  // namespace lockstep::cli
