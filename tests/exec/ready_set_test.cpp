// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/ready_set.h"

#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "tests/exec/sockets.h"

namespace lockstep::exec {
namespace {

struct Watched {
  Watched() {
    for (std::uint32_t i = 0; i < 3; ++i) {
      pairs.push_back(connected_pair(context));
      ready.add(pairs[i].first.native_handle(), 10 + i);
    }
    collect();
  }
  /// Loopback delivers at once, but may take its time under load.
  std::vector<ReadySet::Event> collect() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    std::vector<ReadySet::Event> events;
    do {
      const auto now = ready.collect();
      events.insert(events.end(), now.begin(), now.end());
    } while (events.empty() && std::chrono::steady_clock::now() < end);
    return events;
  }

  boost::asio::io_context context;
  std::vector<std::pair<tcp::socket, tcp::socket>> pairs;
  ReadySet ready;
};

TEST_CASE("ready set: sockets are reported once in the beginning, then when something came",
          "[exec][ready][net]") {
  Watched watched;
  CHECK(watched.collect().empty());
  boost::asio::write(watched.pairs[1].second, boost::asio::buffer("x", 1));
  const std::vector<ReadySet::Event> events = watched.collect();
  REQUIRE(events.size() == 1);
  CHECK(events[0].number == 11);
  CHECK(events[0].readable);
  CHECK(watched.collect().empty());  // though nobody has read it
}

TEST_CASE("ready set: the end of a connection counts as readable, a closed socket leaves",
          "[exec][ready][net]") {
  Watched watched;
  watched.pairs[2].second.close();
  const std::vector<ReadySet::Event> events = watched.collect();
  REQUIRE_FALSE(events.empty());
  CHECK(events[0].number == 12);
  CHECK(events[0].readable);
  watched.pairs[0].first.close();
  watched.pairs[0].second.close();
  CHECK(watched.collect().empty());
}

}  // namespace
}  // namespace lockstep::exec
