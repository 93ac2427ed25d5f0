// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/connection.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "exec/transport/ready_set.h"
#include "models/base/random.h"
#include "tests/exec/sockets.h"

namespace lockstep::exec {
namespace {

using schedule::Operator;

std::vector<float> numbers(std::size_t count, float first) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = first + static_cast<float>(i % 1000);
  return values;
}

/// A connection whose other end is a plain socket in the test's hands.
struct End {
  End() {
    connection = std::make_shared<Connection>(
        std::move(sockets.second), [this](const std::string& cause) { failure = cause; });
  }
  ~End() { connection->close(); }

  /// A message's bytes as they travel.
  static std::string message(std::span<const float> payload, std::int32_t iteration = 0,
                             std::int64_t started_ns = 0) {
    Frame frame;
    frame.tag.iteration = iteration;
    frame.payload_bytes = payload.size_bytes();
    frame.started_ns = started_ns;
    const FrameBytes header = encode(frame);
    std::string bytes(reinterpret_cast<const char*>(header.data()), header.size());
    bytes.append(reinterpret_cast<const char*>(payload.data()), payload.size_bytes());
    return bytes;
  }
  void receive(std::span<float> into, Operator combine = Operator::Replace) {
    connection->receive({std::as_writable_bytes(into), combine, schedule::ElementType::Float32, 0},
                        [this](std::int64_t started_ns) { received.push_back(started_ns); });
  }
  bool until_received(std::size_t count) {
    return run_until(context, [&] { return received.size() == count || !failure.empty(); }) &&
           failure.empty();
  }
  std::string until_failed() {
    return run_until(context, [&] { return !failure.empty(); }) ? failure : "nothing";
  }

  boost::asio::io_context context;
  std::pair<tcp::socket, tcp::socket> sockets = connected_pair(context);
  tcp::socket& raw = sockets.first;
  std::shared_ptr<Connection> connection;
  std::vector<std::int64_t> received;
  std::string failure;
};

TEST_CASE("frame: a header is 32 bytes, little endian, and comes back as it went",
          "[exec][frame]") {
  const Frame frame{{0x01020304, 17, -3}, 0x1122334455667788, -5};
  const FrameBytes bytes = encode(frame);
  CHECK(bytes[4] == std::byte{4});     // fragment, lowest byte first
  CHECK(bytes[8] == std::byte{0x88});  // payload bytes
  const std::optional<Frame> back = decode(bytes);
  REQUIRE(back);
  CHECK(back->tag.fragment == frame.tag.fragment);
  CHECK(back->tag.step == 17);
  CHECK(back->tag.iteration == -3);
  CHECK(back->payload_bytes == frame.payload_bytes);
  CHECK(back->started_ns == -5);
  FrameBytes broken = bytes;
  broken[0] ^= std::byte{1};
  CHECK_FALSE(decode(broken));
}

TEST_CASE("connection: messages land in place, first to first, empty ones too",
          "[exec][connection][net]") {
  End end;
  const std::vector<float> first = numbers(3, 1), second = numbers(1000, 5);
  std::vector<float> a(3), b(0), c(1000);
  end.receive(a);
  end.receive(b);
  boost::asio::write(end.raw,
                     boost::asio::buffer(End::message(first, 0, 11) + End::message({}, 0, 12) +
                                         End::message(second, 0, 13)));
  end.receive(c);
  REQUIRE(end.until_received(3));
  CHECK(end.received == std::vector<std::int64_t>{11, 12, 13});
  CHECK(a == first);
  CHECK(c == second);
}

TEST_CASE("connection: elements that arrive in pieces are combined all the same",
          "[exec][connection][net]") {
  End end;
  const Operator combining = GENERATE(Operator::Sum, Operator::Max, Operator::Replace);
  const std::vector<float> arriving = numbers(300, 10);
  std::vector<float> into = numbers(300, 100);
  std::vector<float> expected = into;
  for (std::size_t i = 0; i < into.size(); ++i) {
    if (combining == Operator::Sum) expected[i] += arriving[i];
    if (combining == Operator::Max) expected[i] = std::max(expected[i], arriving[i]);
    if (combining == Operator::Replace) expected[i] = arriving[i];
  }
  end.receive(into, combining);
  const std::string bytes = End::message(arriving);
  Random random(5);
  for (std::size_t sent = 0; sent < bytes.size();) {
    const std::size_t piece = std::min<std::size_t>(1 + random.below(23), bytes.size() - sent);
    boost::asio::write(end.raw, boost::asio::buffer(bytes.data() + sent, piece));
    sent += piece;
    end.context.restart();
    end.context.run_one_for(std::chrono::milliseconds(1));  // most pieces are read alone
  }
  REQUIRE(end.until_received(1));
  CHECK(into == expected);
}

enum class Mover { Context, Poller, Both };  // Both: in turn

TEST_CASE("connection: large messages in both directions at once", "[exec][connection][net]") {
  const Mover mover = GENERATE(Mover::Context, Mover::Poller, Mover::Both);
  boost::asio::io_context context;
  auto [one, other] = connected_pair(context);
  ReadySet ready;
  ready.add(one.native_handle(), 0);
  ready.add(other.native_handle(), 1);
  std::string failure;
  const auto failed = [&](const std::string& cause) { failure = cause; };
  const auto left = std::make_shared<Connection>(std::move(one), failed);
  const auto right = std::make_shared<Connection>(std::move(other), failed);
  constexpr std::size_t kCount = 3'000'001;  // 12 MB: more than sockets hold
  const std::vector<float> to_right = numbers(kCount, 1), to_left = numbers(kCount, 2);
  std::vector<float> at_right = numbers(kCount, 3), at_left(kCount);
  std::vector<float> expected = at_right;
  for (std::size_t i = 0; i < kCount; ++i)
    expected[i] += to_right[i];
  int done = 0;
  const auto sent = [&] { ++done; };
  const auto received = [&](std::int64_t) { ++done; };
  Frame frame;
  frame.payload_bytes = kCount * sizeof(float);
  left->send(frame, std::as_bytes(std::span(to_right)), sent);
  right->send(frame, std::as_bytes(std::span(to_left)), sent);
  left->receive({std::as_writable_bytes(std::span(at_left))}, received);
  right->receive({std::as_writable_bytes(std::span(at_right)), Operator::Sum}, received);
  int turns = 0;
  REQUIRE(run_until(context, [&] {
    if (mover == Mover::Poller || (mover == Mover::Both && ++turns % 8 < 4)) {
      for (const ReadySet::Event& event : ready.collect())
        (event.number == 0 ? left : right)->ready(event.readable, event.writable);
      left->poll();
      right->poll();
    } else {
      left->rest();
      right->rest();
    }
    return done == 4 || !failure.empty();
  }));
  CHECK(failure.empty());
  CHECK(at_left == to_left);
  CHECK(at_right == expected);
  CHECK(left->payload_bytes_sent() == kCount * sizeof(float));
  left->close();
  right->close();
}

TEST_CASE("connection: a message of another size than is due names both sizes",
          "[exec][connection][net]") {
  End end;
  std::vector<float> into(2);
  end.receive(into);
  boost::asio::write(end.raw, boost::asio::buffer(End::message(numbers(3, 0))));
  CHECK_THAT(end.until_failed(), Catch::Contains("12 bytes") && Catch::Contains("8 bytes is due"));
}

TEST_CASE("connection: a wrong magic or iteration is an error", "[exec][connection][net]") {
  End end;
  std::vector<float> into(2);
  end.receive(into);
  SECTION("magic") {
    boost::asio::write(end.raw, boost::asio::buffer(std::string(40, 'x')));
    CHECK(end.until_failed() == "it sent a malformed header");
  }
  SECTION("iteration") {
    boost::asio::write(end.raw, boost::asio::buffer(End::message(numbers(2, 0), 4)));
    CHECK(end.until_failed() == "it sent a message of iteration 4 where one of iteration 0 is due");
  }
}

TEST_CASE("connection: a peer that closes in the middle of a message is an error that says so",
          "[exec][connection][net]") {
  End end;
  std::vector<float> into(10);
  end.receive(into);
  const std::string bytes = End::message(numbers(10, 0));
  boost::asio::write(end.raw, boost::asio::buffer(bytes.data(), 50));
  end.raw.close();
  // 32 of the header and 10 × 4 of the payload are due.
  CHECK(end.until_failed() == "connection closed after 50 of a message's 72 bytes");
}

TEST_CASE("connection: its end is no error while nothing is due", "[exec][connection][net]") {
  End end;
  end.raw.close();
  end.context.run_for(std::chrono::milliseconds(1));
  CHECK(end.failure.empty());
  std::vector<float> into(1);
  end.receive(into);
  CHECK(end.until_failed() == "connection closed");
}

}  // namespace
}  // namespace lockstep::exec
