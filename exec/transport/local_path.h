// SPDX-License-Identifier: Apache-2.0
// How two ranks of one host, once connected over TCP and sure of one another, go over to a Unix
// socket or to shared memory.
#pragma once

#include <chrono>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "exec/transport/shared_memory.h"
#include "exec/transport/shared_memory_link.h"
#include "exec/transport/socket.h"

namespace lockstep::exec {

/// The one who accepted the TCP connection listens on a Unix socket without a name in any folder
/// and says over TCP where, and a token that the other shows there. Both throw HandshakeError, or
/// boost::system::system_error, also when the time is up; but the one who connected waits as long
/// as the other takes to be ready.
boost::asio::awaitable<StreamSocket> accept_local(boost::asio::ip::tcp::socket& tcp,
                                                  std::chrono::nanoseconds timeout);
boost::asio::awaitable<StreamSocket> connect_local(boost::asio::ip::tcp::socket& tcp,
                                                   std::chrono::nanoseconds timeout);

/// Each side hands over the memory that it sends from; the one who accepted also makes and hands
/// over what the link itself needs. The same exceptions, and std::system_error.
boost::asio::awaitable<SharedMemoryLink::Parts> share_memory(StreamSocket socket, bool accepted,
                                                             const SharedMemory& own_buffers,
                                                             std::chrono::nanoseconds timeout);

}  // namespace lockstep::exec
