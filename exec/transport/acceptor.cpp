// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/acceptor.h"

#include <cstdio>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "exec/transport/clock.h"
#include "exec/transport/socket.h"

namespace lockstep::exec {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;

Acceptor::Acceptor(tcp::acceptor acceptor, Secret secret, Rank self,
                   std::chrono::nanoseconds timeout, Admit admit, Taken taken)
    : acceptor_(std::move(acceptor)),
      secret_(std::move(secret)),
      self_(self),
      timeout_(timeout),
      admit_(std::move(admit)),
      taken_(std::move(taken)) {}

void Acceptor::start() {
  boost::asio::co_spawn(
      acceptor_.get_executor(), [self = shared_from_this()] { return self->accept_all(); },
      boost::asio::detached);
}

void Acceptor::stop() {
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
}

awaitable<void> Acceptor::accept_all() {
  while (!stopped_) {
    error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(redirect_error(use_awaitable, error));
    if (stopped_) break;
    if (error) {
      // Out of descriptors, or the connection is gone already: neither is the job's end.
      boost::asio::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(20));
      co_await pause.async_wait(redirect_error(use_awaitable, error));
      continue;
    }
    socket.set_option(tcp::no_delay(true), error);  // questions and answers don't wait
    auto held = std::make_shared<tcp::socket>(std::move(socket));
    boost::asio::co_spawn(
        acceptor_.get_executor(),
        [self = shared_from_this(), held] { return self->let_in(std::move(*held)); },
        boost::asio::detached);
  }
}

awaitable<void> Acceptor::let_in(tcp::socket socket) {
  const std::string from = describe_peer_of(socket);
  Deadline deadline(socket, timeout_);
  std::string why;
  try {
    const Admit admit = [this](const Identity& identity) {
      return stopped_ ? std::string("came too late") : admit_(identity);
    };
    const Identity identity = co_await welcome(socket, secret_, self_, admit);
    if (!stopped_) taken_(std::move(socket), identity);
  } catch (const HandshakeError& error) {
    why = error.what();
  } catch (const boost::system::system_error& error) {
    why = deadline.passed() ? "no proof within " + describe_seconds(timeout_)
                            : "not a Lockstep peer (" + error.code().message() + ")";
  }
  if (!why.empty() && !stopped_) refuse(from, why);
}

void Acceptor::refuse(const std::string& from, const std::string& why) {
  ++strangers_;
  std::fprintf(stderr, "lockstep: refused a stranger from %s: %s\n", from.c_str(), why.c_str());
}

}  // namespace lockstep::exec
