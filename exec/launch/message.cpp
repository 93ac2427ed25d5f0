// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/message.h"

#include <algorithm>

#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "exec/transport/wire.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;

constexpr std::uint32_t kMagic = 0x4354534C;  // "LSTC"
constexpr std::size_t kHeaderBytes = 4 + 2 + 2 + 8;
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
constexpr std::size_t kKiB = std::size_t{1} << 10;
constexpr std::size_t kMiB = std::size_t{1} << 20;

}  // namespace

std::size_t limit_of(MessageKind kind) {
  switch (kind) {
    case MessageKind::Ping:
    case MessageKind::Heartbeat:
    case MessageKind::Arrive:
    case MessageKind::Leave:
    case MessageKind::Release:
      return 0;
    case MessageKind::Pong:
      return 8;
    case MessageKind::Hash:
      return 12;
    case MessageKind::Report:
      return 64;
    case MessageKind::Join:
    case MessageKind::Refused:
    case MessageKind::Suspect:
    case MessageKind::Verdict:
    case MessageKind::Failed:
      return 8 * kKiB;
    case MessageKind::Table:
      return 32 * kMiB;  // a job of 16 MiB and a line for each of many ranks
    case MessageKind::Blob:
      return 256 * kMiB;
  }
  throw WireError("a message of unknown kind");
}

std::string encode(MessageKind kind, std::string_view body) {
  LOCKSTEP_CHECK(body.size() <= limit_of(kind),
                 "a control message of " + std::to_string(body.size()) + " bytes is too long");
  std::string bytes;
  bytes.reserve(kHeaderBytes + body.size());
  put(bytes, kMagic);
  put(bytes, static_cast<std::uint16_t>(kind));
  put(bytes, std::uint16_t{0});
  put(bytes, static_cast<std::uint64_t>(body.size()));
  bytes.append(body);
  return bytes;
}

awaitable<Message> read_message(tcp::socket& socket, const std::function<void()>& heard) {
  std::string header(kHeaderBytes, '\0');
  co_await boost::asio::async_read(socket, boost::asio::buffer(header), use_awaitable);
  heard();
  std::string_view in = header;
  if (take<std::uint32_t>(in) != kMagic) throw WireError("a malformed message");
  Message message;
  message.kind = static_cast<MessageKind>(take<std::uint16_t>(in));
  const auto zero = take<std::uint16_t>(in);
  const auto size = take<std::uint64_t>(in);
  if (zero != 0 || size > limit_of(message.kind)) throw WireError("a malformed message");
  while (message.body.size() < size) {
    const std::size_t have = message.body.size();
    message.body.resize(std::min<std::size_t>(size, have + kPieceBytes));
    co_await boost::asio::async_read(
        socket, boost::asio::buffer(message.body.data() + have, message.body.size() - have),
        use_awaitable);
    heard();
  }
  co_return message;
}

}  // namespace lockstep::exec
