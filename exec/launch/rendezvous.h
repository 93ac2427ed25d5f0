// SPDX-License-Identifier: Apache-2.0
// How the processes of a job find one another: all but rank 0 go to where rank 0 listens.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "exec/launch/peer.h"
#include "exec/transport/clock.h"
#include "exec/transport/secret.h"
#include "models/base/ids.h"
#include "models/base/intra_host.h"

namespace lockstep::exec {

/// What the two sides know beforehand.
struct RendezvousPlan {
  Rank rank = 0;
  std::int32_t ranks = 1;
  Secret secret;
  std::chrono::nanoseconds timeout{};     // for everybody to come
  std::string where;                      // "host:port", for people
  bool loopback_only = false;             // all ranks are on this host
  IntraHost intra_host = IntraHost::Tcp;  // counts on rank 0
};

/// What a rank holds when all have met.
struct Meeting {
  std::vector<Peer> peers;  // by rank
  IntraHost intra_host = IntraHost::Tcp;
  std::string resolved_job;
  Clock clock;
  /// Control connections: on rank 0 one to every other rank, elsewhere the one to rank 0.
  std::vector<std::pair<Rank, boost::asio::ip::tcp::socket>> links;
  /// Where this rank takes data connections, and where the others do, by rank.
  std::optional<boost::asio::ip::tcp::acceptor> data_acceptor;
  std::vector<boost::asio::ip::tcp::endpoint> data_endpoints;
  int strangers = 0;  // refused meanwhile
};

inline constexpr const char* kRendezvousPhase = "at the rendezvous";

/// Rank 0. Waits until all ranks have come to `acceptor`, hands out the peers and the job. Throws
/// PeerError when they don't come in time, two come with one number, or one has another idea of how
/// many ranks there are; all who did come are told.
boost::asio::awaitable<Meeting> host_rendezvous(boost::asio::ip::tcp::acceptor acceptor,
                                                RendezvousPlan plan, std::string resolved_job,
                                                Clock clock);

/// Any other rank. Tries again until `timeout` while rank 0 doesn't listen yet. Throws PeerError.
boost::asio::awaitable<Meeting> join_rendezvous(
    boost::asio::io_context& context, std::vector<boost::asio::ip::tcp::endpoint> endpoints,
    RendezvousPlan plan);

/// A listening socket for data connections, of the family of an address used for control. On all
/// addresses, as other hosts may come by other ways, or on loopback only.
boost::asio::ip::tcp::acceptor make_data_acceptor(const boost::asio::any_io_executor& executor,
                                                  const boost::asio::ip::address& like,
                                                  bool loopback_only);

/// What this host calls itself.
std::string this_host_name();

/// Alike for processes of one running system in one network namespace, and for no others: a
/// container or a namespace of its own is another host.
std::string this_place();

}  // namespace lockstep::exec
