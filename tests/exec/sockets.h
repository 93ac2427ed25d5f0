// SPDX-License-Identifier: Apache-2.0
// Sockets for tests: a pair on loopback, and a context that runs until something has happened.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace lockstep::exec {

using boost::asio::ip::tcp;

inline tcp::endpoint any_port() {
  return tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0);
}

/// Two connected sockets of one context.
inline std::pair<tcp::socket, tcp::socket> connected_pair(boost::asio::io_context& context) {
  tcp::acceptor acceptor(context, any_port());
  tcp::socket one(context);
  one.connect(acceptor.local_endpoint());
  tcp::socket other = acceptor.accept();
  one.set_option(tcp::no_delay(true));
  return {std::move(one), std::move(other)};
}

/// False when 20 s pass without `ready` coming true.
inline bool run_until(boost::asio::io_context& context, const std::function<bool()>& ready) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!ready()) {
    if (std::chrono::steady_clock::now() > end) return false;
    context.restart();
    context.run_one_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace lockstep::exec
