// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/handshake.h"

#include <string_view>

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "exec/transport/wire.h"

namespace lockstep::exec {

namespace {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;

constexpr std::string_view kMagic = "LOCKSTEP";
constexpr std::size_t kHelloBytes = 8 + 2 + 2 + 4 + 4 + 32;
constexpr std::size_t kChallengeBytes = 8 + 2 + 2 + 4 + 32;

std::string_view text_of(const Nonce& nonce) {
  return {reinterpret_cast<const char*>(nonce.data()), nonce.size()};
}

std::string make_hello(const Identity& self) {
  std::string hello(kMagic);
  put(hello, kProtocolVersion);
  put(hello, static_cast<std::uint16_t>(self.purpose));
  put(hello, self.rank);
  put(hello, self.stream);
  hello.append(text_of(random_nonce()));
  return hello;
}

std::string make_challenge(Rank self) {
  std::string challenge(kMagic);
  put(challenge, kProtocolVersion);
  put(challenge, std::uint16_t{0});
  put(challenge, self);
  challenge.append(text_of(random_nonce()));
  return challenge;
}

Proof prove(const Secret& secret, char role, const std::string& hello,
            const std::string& challenge) {
  const std::string text = role + hello + challenge;
  return hmac_sha256(secret, std::as_bytes(std::span(text)));
}

/// The magic is read and checked alone, so that a stranger is known by its first eight bytes.
awaitable<std::string> read_greeting(tcp::socket& socket, std::size_t size) {
  std::string greeting(size, '\0');
  co_await boost::asio::async_read(socket, boost::asio::buffer(greeting.data(), kMagic.size()),
                                   use_awaitable);
  if (!greeting.starts_with(kMagic)) throw HandshakeError("not a Lockstep peer");
  co_await boost::asio::async_read(
      socket, boost::asio::buffer(greeting.data() + kMagic.size(), size - kMagic.size()),
      use_awaitable);
  co_return greeting;
}

std::uint16_t take_version(std::string_view& greeting) {
  greeting.remove_prefix(kMagic.size());
  return take<std::uint16_t>(greeting);
}

std::string wrong_version(std::uint16_t version) {
  return "speaks version " + std::to_string(version) + " of the protocol, this is version " +
         std::to_string(kProtocolVersion);
}

}  // namespace

awaitable<void> introduce(tcp::socket& socket, const Secret& secret, Identity self, Rank expected) {
  const std::string hello = make_hello(self);
  co_await boost::asio::async_write(socket, boost::asio::buffer(hello), use_awaitable);

  const std::string challenge = co_await read_greeting(socket, kChallengeBytes);
  std::string_view in = challenge;
  const std::uint16_t version = take_version(in);
  if (version != kProtocolVersion) throw HandshakeError(wrong_version(version));
  if (take<std::uint16_t>(in) != 0) throw HandshakeError("sent a malformed challenge");
  const auto rank = take<Rank>(in);
  if (rank != expected)
    throw HandshakeError("is rank " + std::to_string(rank) + ", not rank " +
                         std::to_string(expected));

  const Proof proof = prove(secret, 'C', hello, challenge);
  co_await boost::asio::async_write(socket, boost::asio::buffer(proof), use_awaitable);
  Proof answer;
  boost::system::error_code error;
  co_await boost::asio::async_read(socket, boost::asio::buffer(answer),
                                   boost::asio::redirect_error(use_awaitable, error));
  if (error)
    throw HandshakeError(
        "refused this rank's proof: another job, another secret, or a rank that "
        "is already there");
  if (!equal_in_constant_time(answer, prove(secret, 'A', hello, challenge)))
    throw HandshakeError("doesn't know the job's secret");
}

awaitable<Identity> welcome(tcp::socket& socket, const Secret& secret, Rank self,
                            const Admit& admit) {
  const std::string hello = co_await read_greeting(socket, kHelloBytes);
  std::string_view in = hello;
  const std::uint16_t version = take_version(in);
  const auto purpose = take<std::uint16_t>(in);
  Identity peer;
  peer.rank = take<Rank>(in);
  peer.stream = take<std::uint32_t>(in);

  // The challenge goes out even to another version, whose side can then say what is wrong.
  const std::string challenge = make_challenge(self);
  co_await boost::asio::async_write(socket, boost::asio::buffer(challenge), use_awaitable);
  if (version != kProtocolVersion) throw HandshakeError(wrong_version(version));
  if (purpose != static_cast<std::uint16_t>(Purpose::Control) &&
      purpose != static_cast<std::uint16_t>(Purpose::Data))
    throw HandshakeError("sent a malformed hello");
  peer.purpose = static_cast<Purpose>(purpose);

  Proof proof;
  co_await boost::asio::async_read(socket, boost::asio::buffer(proof), use_awaitable);
  if (!equal_in_constant_time(proof, prove(secret, 'C', hello, challenge)))
    throw HandshakeError("doesn't know the job's secret");
  const std::string wrong = admit(peer);
  if (!wrong.empty()) throw HandshakeError(wrong);

  const Proof answer = prove(secret, 'A', hello, challenge);
  co_await boost::asio::async_write(socket, boost::asio::buffer(answer), use_awaitable);
  co_return peer;
}

}  // namespace lockstep::exec
