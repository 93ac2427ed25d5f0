// SPDX-License-Identifier: Apache-2.0
// What is said at the rendezvous.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exec/launch/peer.h"
#include "models/base/intra_host.h"

namespace lockstep::exec {

/// To rank 0.
struct Join {
  std::int32_t ranks = 0;  // how many this process was told there are
  Peer peer;               // without address
};

/// From rank 0.
struct Table {
  std::vector<Peer> peers;
  IntraHost intra_host = IntraHost::Tcp;
  std::string resolved_job;
};

inline constexpr std::size_t kMaximumJobBytes = std::size_t{16} << 20;

/// A joining rank sends this many pings, one after the other.
inline constexpr int kPings = 16;

std::string encode(const Join& join);
std::string encode(const Table& table);
/// Both throw WireError.
Join decode_join(std::string_view body);
Table decode_table(std::string_view body, std::int32_t ranks);

}  // namespace lockstep::exec
