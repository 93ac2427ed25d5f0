// SPDX-License-Identifier: Apache-2.0
// Lets peers in at a listening socket, and keeps strangers out, all at the same time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include "exec/transport/handshake.h"
#include "exec/transport/secret.h"

namespace lockstep::exec {

/// Every connection gets its own handshake with its own deadline, so a silent one holds up nobody.
/// One that fails it is closed and counted, and a line says so on stderr.
/// Lives on the communication thread.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  using Taken = std::function<void(boost::asio::ip::tcp::socket, const Identity&)>;

  /// `admit` is asked about each identity that has proved the secret; `taken` gets its socket.
  Acceptor(boost::asio::ip::tcp::acceptor acceptor, Secret secret, Rank self,
           std::chrono::nanoseconds timeout, Admit admit, Taken taken);
  void start();
  /// Afterwards nobody is accepted and neither function is called.
  void stop();
  int strangers() const { return strangers_; }

 private:
  boost::asio::awaitable<void> accept_all();
  boost::asio::awaitable<void> let_in(boost::asio::ip::tcp::socket socket);
  void refuse(const std::string& from, const std::string& why);

  boost::asio::ip::tcp::acceptor acceptor_;
  Secret secret_;
  Rank self_;
  std::chrono::nanoseconds timeout_;
  Admit admit_;
  Taken taken_;
  int strangers_ = 0;
  bool stopped_ = false;
};

}  // namespace lockstep::exec
