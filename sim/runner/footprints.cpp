// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/footprints.h"

#include <algorithm>

namespace lockstep::sim {

namespace {

/// Elements that are remembered together: the smallest message whose bytes matter.
constexpr std::uint64_t kBlock = 8192;

}  // namespace

Footprints::Footprints(const schedule::Schedule& schedule, std::span<const HostId> host_of_rank)
    : schedule_(schedule), host_of_rank_(host_of_rank) {}

double Footprints::touch(Rank rank, const schedule::Slice& slice) {
  if (slice.count == 0) return 0;
  const HostId host = host_of_rank_[static_cast<std::size_t>(rank)];
  if (touched_at_.empty()) {
    touched_at_.resize(static_cast<std::size_t>(schedule_.ranks));
    clocks_.resize(
        static_cast<std::size_t>(*std::max_element(host_of_rank_.begin(), host_of_rank_.end())) +
        1);
  }
  std::vector<std::vector<double>>& buffers = touched_at_[static_cast<std::size_t>(rank)];
  if (buffers.empty())
    for (const schedule::Buffer& buffer : schedule_.buffers)
      buffers.emplace_back(buffer.count / kBlock + 1);
  std::vector<double>& blocks = buffers[slice.buffer];
  double& clock = clocks_[static_cast<std::size_t>(host)];
  const double now = clock + static_cast<double>(schedule_.bytes(slice));
  const std::uint64_t end = slice.first + slice.count;
  double sum = 0;
  for (std::uint64_t block = slice.first / kBlock; block * kBlock < end; ++block) {
    const std::uint64_t first = std::max(slice.first, block * kBlock);
    const std::uint64_t last = std::min(end, (block + 1) * kBlock);
    sum += static_cast<double>(last - first) * (clock - blocks[block]);
    blocks[block] = now;
  }
  clock = now;
  return sum / static_cast<double>(slice.count);
}

}  // namespace lockstep::sim
