// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/socket.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <sstream>
#include <string_view>
#include <utility>

namespace lockstep::exec {

using boost::asio::ip::tcp;

void tune_for_data(StreamSocket& socket) {
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(tcp::no_delay(true), ignored);
}

void choose_congestion_control(int socket) {
  for (const std::string_view algorithm : {"cubic", "reno"})
    if (::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, algorithm.data(),
                     static_cast<socklen_t>(algorithm.size())) == 0)
      break;
}

std::string describe(const tcp::endpoint& endpoint) {
  std::ostringstream text;
  text << endpoint;
  return text.str();
}

std::string describe_peer_of(const tcp::socket& socket) {
  boost::system::error_code error;
  const tcp::endpoint endpoint = socket.remote_endpoint(error);
  return error ? "nobody" : describe(endpoint);
}

Deadline::Deadline(const boost::asio::any_io_executor& executor, std::chrono::nanoseconds span,
                   std::function<void()> close)
    : state_(std::make_shared<State>(State{std::move(close)})), timer_(executor, span) {
  timer_.async_wait([state = state_](const boost::system::error_code& error) {
    if (error || !state->close) return;
    state->passed = true;
    state->close();
  });
}

Deadline::~Deadline() {
  state_->close = nullptr;
}

}  // namespace lockstep::exec
