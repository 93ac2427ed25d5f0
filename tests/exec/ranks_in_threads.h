// SPDX-License-Identifier: Apache-2.0
// Runs all ranks of a job in one process, each in a thread of its own, over loopback.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "exec/launch/session.h"

namespace lockstep::exec {

/// A listening socket on a free port of loopback.
struct Listener {
  int descriptor = -1;
  std::uint16_t port = 0;
};

inline Listener listen_on_loopback() {
  Listener listener{::socket(AF_INET, SOCK_STREAM, 0), 0};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener.descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener.descriptor, 64) != 0 ||
      ::getsockname(listener.descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port to listen on");
  listener.port = ntohs(address.sin_port);
  return listener;
}

inline RankOptions options_of(Rank rank, std::int32_t ranks, const Listener& listener) {
  RankOptions options;
  options.rank = rank;
  options.ranks = ranks;
  options.port = listener.port;
  options.listening_socket = rank == 0 ? listener.descriptor : -1;
  options.loopback_only = true;
  options.secret = Secret{"the job's secret"};
  options.timeout_seconds = 20;  // a slow machine under a sanitizer is not a dead one
  options.rendezvous_timeout_seconds = 20;
  return options;
}

/// What became of a rank: empty, or the text of what it threw.
using Outcomes = std::vector<std::string>;

/// `body` is called for each rank in its thread; `adjust` may change a rank's options before.
inline Outcomes run_ranks(std::int32_t ranks, const std::function<void(Session&)>& body,
                          const std::function<void(RankOptions&)>& adjust = nullptr) {
  const Listener listener = listen_on_loopback();
  Outcomes outcomes(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (Rank rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      try {
        RankOptions options = options_of(rank, ranks, listener);
        if (adjust) adjust(options);
        Session session(options, "the job");
        body(session);
      } catch (const std::exception& error) {
        outcomes[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  return outcomes;
}

}  // namespace lockstep::exec
