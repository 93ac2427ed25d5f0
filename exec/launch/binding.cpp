// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/binding.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/base/processor_share.h"

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

cpu_set_t set_of(std::span<const int> processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int processor : processors)
    CPU_SET(static_cast<std::size_t>(processor), &set);
  return set;
}

void bind_all_threads(std::span<const int> processors) {
  const cpu_set_t set = set_of(processors);
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task"))
    ::sched_setaffinity(std::stoi(thread.path().filename()), sizeof set, &set);
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
  if (ranks_here == 1 || processors.empty()) return false;
  const std::size_t block = processors.size() / ranks_here;
  if (block > 0 && block < static_cast<std::size_t>(threads)) return false;
  const ProcessorShare mine = processor_share(index, ranks_here, processors.size());
  bind_all_threads(std::span(processors).subspan(mine.first, mine.count));
  return true;
}

void bind_to_processor(std::size_t number) {
  const std::vector<int> processors = allowed_processors();
  if (processors.empty()) return;
  bind_all_threads(std::span(processors).subspan(number % processors.size(), 1));
}

void bind_thread_to_processor(std::size_t number) {
  const std::vector<int> processors = allowed_processors();
  if (processors.empty()) return;
  const cpu_set_t set = set_of(std::span(processors).subspan(number % processors.size(), 1));
  ::sched_setaffinity(0, sizeof set, &set);
}

}  // namespace lockstep::exec
