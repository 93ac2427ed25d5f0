// SPDX-License-Identifier: Apache-2.0
// A data link over a stream socket, TCP or Unix: its messages are moved by as few system calls as
// possible.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "exec/transport/combine.h"
#include "exec/transport/data_link.h"
#include "exec/transport/queue.h"
#include "exec/transport/socket.h"

namespace lockstep::exec {

/// Bytes go straight into place, or by way of a scratch that stays in the cache when they are
/// combined. A turn moves about a megabyte, then the thread's other links have theirs. Reads only
/// while a receive is queued: the end of a connection that nobody waits on is no error. Kept alive
/// by its own pending waits.
class Connection final : public DataLink, public std::enable_shared_from_this<Connection> {
 public:
  Connection(StreamSocket socket, Failed failed);
  /// A message is sent once all of it is in the kernel's hands.
  void send(const Frame& frame, std::span<const std::byte> payload, Sent sent) override;
  void receive(const Arrival& arrival, Received received) override;
  bool poll() override;
  void ready(bool readable, bool writable) override;
  void rest() override;
  void close() override;
  std::uint64_t payload_bytes_sent() const override { return payload_bytes_sent_; }
  std::int64_t sending_ns() const override { return sending_ns_; }

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
  /// One direction of the socket.
  enum class State : std::uint8_t {
    Idle,     // nothing to move
    Moving,   // a turn runs
    Blocked,  // a turn is due as soon as something can move, or when this link is polled next
  };
  struct Direction {
    State state = State::Idle;
    bool armed = false;    // the io_context will call
    bool may_move = true;  // a turn is not known to be in vain
  };

  /// Turns return whether anything moved.
  bool turn(Direction& direction);
  bool write_turn();
  bool read_turn();
  std::size_t write_some(boost::system::error_code& error);
  std::size_t read_some(boost::system::error_code& error);
  /// Sorts `bytes` that were read into header and payload. False: not what was due, it has failed.
  bool take_in(std::size_t bytes);
  bool check_header();
  void begin(Direction& direction);
  void block(Direction& direction, bool can_move);
  void arm(Direction& direction, bool can_move);
  void fail_reading(const boost::system::error_code& error);
  void fail(const std::string& cause);

  StreamSocket socket_;
  Failed failed_;
  bool open_ = true;
  bool polled_ = false;

  Queue<Outgoing> outgoing_;
  Direction writing_;
  std::size_t written_ = 0;  // of the front message, header included
  std::uint64_t payload_bytes_sent_ = 0;
  std::int64_t sending_ns_ = 0;

  Queue<Incoming> incoming_;
  Direction reading_;
  FrameBytes header_{};
  Frame frame_;
  std::size_t header_read_ = 0;  // of the front message
  std::size_t payload_read_ = 0;
  std::size_t payload_done_ = 0;  // combined into place
  ArrivalCombiner combiner_;
};

}  // namespace lockstep::exec
