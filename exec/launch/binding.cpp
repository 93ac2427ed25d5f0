// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/binding.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep::exec {

namespace {

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return processors;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor)
    if (CPU_ISSET(processor, &set)) processors.push_back(processor);
  return processors;
}

}  // namespace

bool bind_to_share(const Session& session, std::int32_t threads) {
  const std::vector<Peer>& peers = session.peers();
  const std::string& here = peers[static_cast<std::size_t>(session.rank())].host;
  std::size_t ranks_here = 0;
  std::size_t index = 0;
  for (std::size_t rank = 0; rank < peers.size(); ++rank) {
    if (peers[rank].host != here) continue;
    if (static_cast<Rank>(rank) == session.rank()) index = ranks_here;
    ++ranks_here;
  }
  const std::vector<int> processors = allowed_processors();
  const std::size_t share = processors.size() / ranks_here;
  if (ranks_here == 1 || processors.empty()) return false;
  if (share < static_cast<std::size_t>(threads) && ranks_here < processors.size()) return false;

  cpu_set_t set;
  CPU_ZERO(&set);
  const std::size_t first = index * processors.size() / ranks_here;
  for (std::size_t i = 0; i < std::max<std::size_t>(share, 1); ++i)
    CPU_SET(static_cast<std::size_t>(processors[first + i]), &set);
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task"))
    ::sched_setaffinity(std::stoi(thread.path().filename()), sizeof set, &set);
  return true;
}

}  // namespace lockstep::exec
