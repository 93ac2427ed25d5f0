// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/control_link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

#include "exec/transport/wire.h"

namespace lockstep::exec {

using boost::asio::awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;

ControlLink::ControlLink(tcp::socket socket, Events events)
    : socket_(std::move(socket)), events_(std::move(events)) {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

void ControlLink::start() {
  boost::asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->read_all(); },
      boost::asio::detached);
}

void ControlLink::send(MessageKind kind, std::string_view body) {
  if (ended_ || ending_) return;
  queue_.push_back(encode(kind, body));
  if (queue_.size() == 1) write_next();
}

void ControlLink::write_next() {
  boost::asio::async_write(socket_, boost::asio::buffer(queue_.front()),
                           [self = shared_from_this()](const error_code& error, std::size_t) {
                             self->queue_.pop_front();
                             // A broken connection shows in reading, which says it once.
                             if (error || self->ended_) return self->queue_.clear();
                             if (!self->queue_.empty()) return self->write_next();
                             error_code ignored;
                             if (self->ending_)
                               self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                           });
}

void ControlLink::end_sending() {
  if (ending_ || ended_) return;
  ending_ = true;
  error_code ignored;
  if (queue_.empty()) socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void ControlLink::close() {
  ended_ = true;
  error_code ignored;
  socket_.close(ignored);
}

awaitable<void> ControlLink::read_all() {
  std::string cause;
  const std::function<void()> heard = [this] {
    if (!ended_) events_.heard();
  };
  try {
    while (!ended_) {
      const Message message = co_await read_message(socket_, heard);
      if (!ended_) events_.message(message);
    }
  } catch (const WireError& error) {
    cause = std::string("it sent ") + error.what();
  } catch (const boost::system::system_error& error) {
    cause = error.code() == boost::asio::error::eof ? "connection closed" : error.code().message();
  }
  end(cause);
}

void ControlLink::end(const std::string& cause) {
  if (ended_) return;
  events_.ended(cause);
}

}  // namespace lockstep::exec
