// SPDX-License-Identifier: Apache-2.0
// What two processes do before either believes a word of the other: they prove to one another that
// they know the job's secret.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "exec/transport/secret.h"
#include "models/base/ids.h"

namespace lockstep::exec {

inline constexpr std::uint16_t kProtocolVersion = 2;

enum class Purpose : std::uint8_t { Control = 1, Data = 2 };

/// Whom a connecting process says it is.
struct Identity {
  Purpose purpose = Purpose::Control;
  Rank rank = 0;
  std::uint32_t stream = 0;
};

/// The other end is no peer: it doesn't speak the protocol, or can't prove the secret.
class HandshakeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The exchange (all of fixed size; C connects, A accepts):
///   C → A  hello:     "LOCKSTEP", version, purpose, rank, stream, nonce
///   A → C  challenge: "LOCKSTEP", version, rank, nonce
///   C → A  HMAC(secret, "C" hello challenge)
///   A → C  HMAC(secret, "A" hello challenge): proves A, and says that C is in
/// Each proof covers both nonces and everything that was claimed, so none can be replayed or turned
/// round. Both functions throw HandshakeError, or boost::system::system_error when the connection
/// breaks. Neither has a deadline of its own: see Deadline.

/// As the one who connects. A rank other than `expected` on the other side is an error.
boost::asio::awaitable<void> introduce(boost::asio::ip::tcp::socket& socket, const Secret& secret,
                                       Identity self, Rank expected);

/// Says what is wrong with an identity that has proved the secret; empty if nothing is.
using Admit = std::function<std::string(const Identity&)>;

/// As the one who accepts.
boost::asio::awaitable<Identity> welcome(boost::asio::ip::tcp::socket& socket, const Secret& secret,
                                         Rank self, const Admit& admit);

}  // namespace lockstep::exec
