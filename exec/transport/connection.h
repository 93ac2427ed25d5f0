// SPDX-License-Identifier: Apache-2.0
// One data connection: messages out and messages in, each first to first, moved by as few system
// calls as possible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "exec/transport/combine.h"
#include "exec/transport/frame.h"
#include "exec/transport/queue.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// Where a message goes when it arrives.
struct Arrival {
  std::span<std::byte> into;
  schedule::Operator combine = schedule::Operator::Replace;
  schedule::ElementType type = schedule::ElementType::Float32;
  std::int32_t iteration = 0;
};

/// Calls try to read or write at once; only what would block waits for the socket. Bytes go
/// straight into place, or by way of a scratch that stays in the cache when they are combined. A
/// turn moves about a megabyte, then the thread's other connections have theirs. Reads only while a
/// receive is queued: the end of a connection that nobody waits on is no error. Lives on the
/// communication thread; kept alive by its own pending waits.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Sent = std::function<void()>;
  using Received = std::function<void(std::int64_t sender_started_ns)>;
  using Failed = std::function<void(const std::string& cause)>;

  /// `failed` is called once, after which nothing else is.
  Connection(boost::asio::ip::tcp::socket socket, Failed failed);
  /// `payload` must stay as it is until `sent` is called: all of it is in the kernel's hands then.
  void send(const Frame& frame, std::span<const std::byte> payload, Sent sent);
  /// `received` is called when the data is in place. Both may be called before these return.
  void receive(const Arrival& arrival, Received received);
  /// Calls no function any more.
  void close();
  std::uint64_t payload_bytes_sent() const { return payload_bytes_sent_; }

 private:
  struct Outgoing {
    FrameBytes frame{};
    std::span<const std::byte> payload;
    Sent sent;
  };
  struct Incoming {
    Arrival arrival;
    Received received;
  };

  void write_turn();
  void read_turn();
  std::size_t write_some(boost::system::error_code& error);
  std::size_t read_some(boost::system::error_code& error);
  /// Sorts `bytes` that were read into header and payload. False: not what was due, it has failed.
  bool take_in(std::size_t bytes);
  bool check_header();
  void wait(boost::asio::ip::tcp::socket::wait_type what, void (Connection::*turn)());
  void yield(void (Connection::*turn)());
  void fail_reading(const boost::system::error_code& error);
  void fail(const std::string& cause);

  boost::asio::ip::tcp::socket socket_;
  Failed failed_;
  bool open_ = true;

  Queue<Outgoing> outgoing_;
  bool writing_ = false;     // a turn runs or is due
  std::size_t written_ = 0;  // of the front message, header included
  std::uint64_t payload_bytes_sent_ = 0;

  Queue<Incoming> incoming_;
  bool reading_ = false;
  FrameBytes header_{};
  Frame frame_;
  std::size_t header_read_ = 0;  // of the front message
  std::size_t payload_read_ = 0;
  std::size_t payload_done_ = 0;  // combined into place
  ArrivalCombiner combiner_;
};

}  // namespace lockstep::exec
