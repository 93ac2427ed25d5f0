// SPDX-License-Identifier: Apache-2.0
// A rank's data connections: one for each stream to each of its scheduled peers, to nobody else.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "exec/transport/acceptor.h"
#include "exec/transport/channels.h"
#include "exec/transport/data_link.h"
#include "exec/transport/ready_set.h"
#include "exec/transport/shared_memory.h"
#include "models/base/intra_host.h"

namespace lockstep::exec {

/// How ranks of this host talk to one another.
struct Neighbourhood {
  IntraHost how = IntraHost::Tcp;
  std::vector<bool> is_here;              // by rank; empty = nobody
  const SharedMemory* buffers = nullptr;  // what this rank sends from: see buffers_are_there()
};

/// The higher rank connects, the lower accepts; ranks of one host then go over to what they use
/// among themselves. There is no handshake per message: the receiver knows from its schedule what
/// must come, and a sender that is ahead is held back.
/// Not thread-safe: everything happens on the thread that runs the io_context.
class Mesh {
 public:
  using Failed = std::function<void(Rank peer, const std::string& cause)>;

  /// `failed` is called once, after which no function is called any more. `timeout` bounds the
  /// reaching of one peer and the handshake of one connection.
  Mesh(boost::asio::io_context& context, Rank rank, std::int32_t ranks, Secret secret,
       std::chrono::nanoseconds timeout, Failed failed);
  ~Mesh();

  /// Before listen() and connect(). What it refers to must outlive the mesh.
  void settle(Neighbourhood neighbourhood) { neighbourhood_ = std::move(neighbourhood); }
  /// With shared memory no link is made before this is said.
  void buffers_are_there();
  /// Lets higher ranks in from now on, whether or not this rank is ready for them.
  void listen(boost::asio::ip::tcp::acceptor acceptor);
  /// Makes the connections that aren't there yet and waits for those that others make.
  /// `endpoints` says where each rank listens. Ends early, without exception, when the mesh fails.
  boost::asio::awaitable<void> connect(std::vector<Channel> channels,
                                       std::vector<boost::asio::ip::tcp::endpoint> endpoints);

  /// See DataLink::send. `started_ns` is when the Send was started, on rank 0's clock.
  void send(Channel channel, std::span<const std::byte> payload, Tag tag, std::int64_t started_ns,
            DataLink::Sent sent);
  /// See DataLink::receive.
  void receive(Channel channel, const Arrival& arrival, DataLink::Received received);

  /// Moves whatever can be moved on any link; from now on that happens here only, until rest().
  /// Returns whether anything moved.
  bool poll();
  /// From now on the io_context moves things again.
  void rest();

  /// Closes everything; no function is called any more.
  void stop();
  bool stopped() const { return stopped_; }
  std::uint64_t payload_bytes_sent(Rank peer) const;
  /// Of all links: see DataLink.
  std::int64_t sending_ns() const;
  int strangers() const { return acceptor_ ? acceptor_->strangers() : 0; }

 private:
  struct Entry {
    Channel channel;
    std::shared_ptr<DataLink> link;
  };

  boost::asio::awaitable<void> reach(Channel channel, boost::asio::ip::tcp::endpoint endpoint);
  boost::asio::awaitable<void> take_in(Channel channel, boost::asio::ip::tcp::socket socket,
                                       bool accepted);
  boost::asio::awaitable<std::shared_ptr<DataLink>> make_link(Channel channel,
                                                              boost::asio::ip::tcp::socket socket,
                                                              bool accepted, int& handle);
  std::string refusal_of(const Identity& identity) const;
  DataLink* find(Channel channel) const;
  DataLink& at(Channel channel) const;
  void fail(Rank peer, const std::string& cause);

  boost::asio::io_context& context_;
  Rank rank_;
  std::int32_t ranks_;
  Secret secret_;
  std::chrono::nanoseconds timeout_;
  Failed failed_;
  Neighbourhood neighbourhood_;
  bool stopped_ = false;
  bool polled_ = false;
  std::vector<Entry> entries_;  // sorted by channel
  ReadySet ready_;
  std::vector<DataLink*> numbered_;  // as ready_ knows them
  std::shared_ptr<Acceptor> acceptor_;
  bool has_buffers_ = false;
  boost::asio::steady_timer arrival_;  // never expires; cancelled when a link or the buffers came
};

}  // namespace lockstep::exec
