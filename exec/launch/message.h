// SPDX-License-Identifier: Apache-2.0
// What is said on control connections: a fixed-size header and a body whose greatest size depends
// on its kind.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace lockstep::exec {

enum class MessageKind : std::uint16_t {
  // At the rendezvous.
  Join = 1,  // to rank 0: who I am
  Refused,   // from rank 0: why this can't be a job
  Ping,      // to rank 0, empty
  Pong,      // rank 0's clock
  Table,     // from rank 0: all peers, and the resolved job
  // Afterwards.
  Heartbeat,  // both ways, empty
  Suspect,    // to rank 0: a data connection failed
  Verdict,    // from rank 0: who is lost, and why; the end
  Failed,     // to rank 0: why this rank gives up
  Hash,       // to rank 0: of this rank's parameters
  Report,     // to rank 0: an iteration's figures
  Blob,       // to rank 0: opaque
  Arrive,     // to rank 0, empty: at the barrier
  Leave,      // to rank 0, empty: at the last barrier
  Release,    // from rank 0, empty: all are at the barrier
};

struct Message {
  MessageKind kind = MessageKind::Heartbeat;
  std::string body;
};

/// The greatest body of a kind: checked before anything is allocated for it.
std::size_t limit_of(MessageKind kind);

/// Header and body as they travel. The body must be within its limit.
std::string encode(MessageKind kind, std::string_view body);

/// Reads one message. `heard` is called as often as bytes arrive: a long message is a sign of life
/// all the time. Throws WireError, or boost::system::system_error when the connection breaks.
boost::asio::awaitable<Message> read_message(boost::asio::ip::tcp::socket& socket,
                                             const std::function<void()>& heard);

}  // namespace lockstep::exec
