// SPDX-License-Identifier: Apache-2.0
// Small things about sockets that several files need.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace lockstep::exec {

/// A connected socket of whatever family: TCP or Unix.
using StreamSocket = boost::asio::generic::stream_protocol::socket;

/// For a connection that carries data: reads and writes don't block; over TCP no Nagle; buffers are
/// left to the kernel, which tunes them. Never fails: a socket that has gone is noticed when it is
/// used.
void tune_for_data(StreamSocket& socket);

/// Chooses cubic, or else reno, because BBR's pacing halves the speed of loopback. For a socket
/// before it connects, or one that listens, whose connections inherit it: once connected a socket
/// goes on being paced after it has left BBR. Never fails.
void choose_congestion_control(int socket);

/// "127.0.0.1:4711"; "[::1]:4711"; "nobody" of a socket that is no longer connected.
std::string describe(const boost::asio::ip::tcp::endpoint& endpoint);
std::string describe_peer_of(const boost::asio::ip::tcp::socket& socket);

/// Closes a socket, or an acceptor, if it isn't destroyed before the time is up: how waits get a
/// deadline here.
class Deadline {
 public:
  template <typename Socket>
  Deadline(Socket& socket, std::chrono::nanoseconds span)
      : Deadline(socket.get_executor(), span, [&socket] {
          boost::system::error_code ignored;
          socket.close(ignored);
        }) {}
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool passed() const { return state_->passed; }

 private:
  struct State {
    std::function<void()> close;
    bool passed = false;
  };
  Deadline(const boost::asio::any_io_executor& executor, std::chrono::nanoseconds span,
           std::function<void()> close);
  std::shared_ptr<State> state_;  // the timer's handler may run after the destructor
  boost::asio::steady_timer timer_;
};

}  // namespace lockstep::exec
