// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/rendezvous_messages.h"

#include "exec/transport/wire.h"

namespace lockstep::exec {

namespace {

constexpr std::size_t kMaximumNameBytes = 255;

void put(std::string& out, const Peer& peer) {
  exec::put(out, std::string_view(peer.host).substr(0, kMaximumNameBytes));
  exec::put(out, peer.pid);
  exec::put(out, std::string_view(peer.address));
  exec::put(out, peer.port);
  exec::put(out, std::string_view(peer.place));
}

Peer take_peer(std::string_view& in) {
  Peer peer;
  peer.host = take_text(in, kMaximumNameBytes);
  peer.pid = take<std::int32_t>(in);
  peer.address = take_text(in, kMaximumNameBytes);
  peer.port = take<std::uint16_t>(in);
  peer.place = take_text(in, kMaximumNameBytes);
  return peer;
}

}  // namespace

std::string encode(const Join& join) {
  std::string body;
  exec::put(body, join.ranks);
  put(body, join.peer);
  return body;
}

Join decode_join(std::string_view body) {
  Join join;
  join.ranks = take<std::int32_t>(body);
  join.peer = take_peer(body);
  take_end(body);
  return join;
}

std::string encode(const Table& table) {
  std::string body;
  exec::put(body, static_cast<std::uint32_t>(table.peers.size()));
  for (const Peer& peer : table.peers)
    put(body, peer);
  exec::put(body, static_cast<std::uint8_t>(table.intra_host));
  exec::put(body, std::string_view(table.resolved_job));
  return body;
}

Table decode_table(std::string_view body, std::int32_t ranks) {
  if (take<std::uint32_t>(body) != static_cast<std::uint32_t>(ranks))
    throw WireError("a table of another number of ranks");
  Table table;
  for (std::int32_t r = 0; r < ranks; ++r)
    table.peers.push_back(take_peer(body));
  const auto how = take<std::uint8_t>(body);
  if (how > static_cast<std::uint8_t>(IntraHost::SharedMemory))
    throw WireError("an unknown way to talk within a host");
  table.intra_host = static_cast<IntraHost>(how);
  table.resolved_job = take_text(body, kMaximumJobBytes);
  take_end(body);
  return table;
}

}  // namespace lockstep::exec
