// SPDX-License-Identifier: Apache-2.0
// One control connection after the rendezvous: messages out without waiting, messages in as they
// come.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include "exec/launch/message.h"

namespace lockstep::exec {

/// Lives on the communication thread; kept alive by its own pending operations.
class ControlLink : public std::enable_shared_from_this<ControlLink> {
 public:
  struct Events {
    std::function<void(const Message&)> message;
    std::function<void()> heard;                          // bytes came
    std::function<void(const std::string& cause)> ended;  // once, last
  };

  ControlLink(boost::asio::ip::tcp::socket socket, Events events);
  void start();
  void send(MessageKind kind, std::string_view body);
  /// What was sent before still goes out, then the other side is told that no more comes.
  void end_sending();
  /// Calls no function any more.
  void close();

 private:
  boost::asio::awaitable<void> read_all();
  void write_next();
  void end(const std::string& cause);

  boost::asio::ip::tcp::socket socket_;
  Events events_;
  std::deque<std::string> queue_;
  bool ending_ = false;
  bool ended_ = false;
};

}  // namespace lockstep::exec
