// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/local_path.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "exec/transport/handshake.h"
#include "exec/transport/secret.h"

namespace lockstep::exec {

namespace {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::asio::local::stream_protocol;

/// The first byte of an abstract name is zero: it is in no folder and ends with its socket.
stream_protocol::endpoint endpoint_of(const Nonce& name) {
  std::string path("\0lockstep-", 10);
  for (const std::byte byte : name) {
    constexpr const char* kDigits = "0123456789abcdef";
    path += kDigits[std::to_integer<unsigned>(byte) >> 4];
    path += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return stream_protocol::endpoint(path);
}

[[noreturn]] void throw_system_error(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void send_descriptors(StreamSocket& socket, const std::vector<int>& descriptors) {
  char byte = 0;
  iovec data{&byte, 1};
  std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  if (::sendmsg(socket.native_handle(), &message, MSG_NOSIGNAL) != 1)
    throw_system_error("shared memory cannot be handed over");
}

/// `count` memories of the peer's, of which the first may be writable.
awaitable<std::vector<SharedMemory>> receive_memories(StreamSocket& socket, std::size_t count,
                                                      bool writable_first) {
  co_await socket.async_wait(StreamSocket::wait_read, use_awaitable);
  char byte = 0;
  iovec data{&byte, 1};
  std::vector<char> control(CMSG_SPACE(2 * sizeof(int)));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket.native_handle(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
    throw HandshakeError("did not hand over its memory");
  std::vector<SharedMemory> memories;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS)
    for (std::size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= header->cmsg_len; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      memories.push_back(SharedMemory::adopt(descriptor, writable_first && i == 0));
    }
  if (memories.size() != count) throw HandshakeError("did not hand over its memory");
  co_return memories;
}

}  // namespace

awaitable<StreamSocket> accept_local(tcp::socket& tcp, std::chrono::nanoseconds timeout) {
  const Nonce name = random_nonce();
  const Nonce token = random_nonce();
  stream_protocol::acceptor acceptor(tcp.get_executor(), endpoint_of(name));
  const Deadline patience(acceptor, timeout);
  const std::array<boost::asio::const_buffer, 2> where{boost::asio::buffer(name),
                                                       boost::asio::buffer(token)};
  co_await boost::asio::async_write(tcp, where, use_awaitable);
  stream_protocol::socket socket = co_await acceptor.async_accept(use_awaitable);
  const Deadline deadline(socket, timeout);
  Nonce shown{};
  co_await boost::asio::async_read(socket, boost::asio::buffer(shown), use_awaitable);
  if (!equal_in_constant_time(shown, token))
    throw HandshakeError("did not show the token at the Unix socket");
  co_return StreamSocket(std::move(socket));
}

awaitable<StreamSocket> connect_local(tcp::socket& tcp, std::chrono::nanoseconds timeout) {
  Nonce name{};
  Nonce token{};
  const std::array<boost::asio::mutable_buffer, 2> where{boost::asio::buffer(name),
                                                         boost::asio::buffer(token)};
  co_await boost::asio::async_read(tcp, where, use_awaitable);
  stream_protocol::socket socket(tcp.get_executor());
  const Deadline deadline(socket, timeout);
  co_await socket.async_connect(endpoint_of(name), use_awaitable);
  co_await boost::asio::async_write(socket, boost::asio::buffer(token), use_awaitable);
  co_return StreamSocket(std::move(socket));
}

awaitable<SharedMemoryLink::Parts> share_memory(StreamSocket socket, bool accepted,
                                                const SharedMemory& own_buffers,
                                                std::chrono::nanoseconds timeout) {
  SharedMemoryLink::Parts parts{
      .socket = std::move(socket), .link = {}, .peers_buffers = {}, .accepted = accepted};
  const Deadline deadline(parts.socket, timeout);
  if (accepted) {
    parts.link = SharedMemory(sizeof(LinkMemory));
    new (parts.link.bytes().data()) LinkMemory;
    send_descriptors(parts.socket, {parts.link.descriptor(), own_buffers.descriptor()});
    std::vector<SharedMemory> memories = co_await receive_memories(parts.socket, 1, false);
    parts.peers_buffers = std::move(memories[0]);
  } else {
    send_descriptors(parts.socket, {own_buffers.descriptor()});
    std::vector<SharedMemory> memories = co_await receive_memories(parts.socket, 2, true);
    parts.link = std::move(memories[0]);
    parts.peers_buffers = std::move(memories[1]);
  }
  co_return parts;
}

}  // namespace lockstep::exec
