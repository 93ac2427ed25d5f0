// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/shared_memory_link.h"

#include <unistd.h>

#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>

#include "tests/exec/sockets.h"

namespace lockstep::exec {
namespace {

using schedule::Operator;

SharedMemory another_view(const SharedMemory& memory, bool writable) {
  return SharedMemory::adopt(::dup(memory.descriptor()), writable);
}

/// One end: what it sends lies in `memory`.
struct End {
  explicit End(std::size_t floats) : memory(floats * sizeof(float)) {}

  std::span<float> floats() {
    return {reinterpret_cast<float*>(memory.bytes().data()), memory.bytes().size() / sizeof(float)};
  }
  void send(std::span<const float> payload) {
    Frame frame;
    frame.payload_bytes = payload.size_bytes();
    link->send(frame, std::as_bytes(payload), [this] { ++sent; });
  }
  void receive(std::span<float> into, Operator combine = Operator::Replace) {
    link->receive({std::as_writable_bytes(into), combine, schedule::ElementType::Float32, 0},
                  [this](std::int64_t) { ++received; });
  }

  SharedMemory memory;
  std::shared_ptr<SharedMemoryLink> link;
  std::string failure;
  int sent = 0;
  int received = 0;
};

/// Two ends in one process, either polled or resting.
struct Link {
  explicit Link(std::size_t floats = 1000) : ends{End(floats), End(floats)} {
    boost::asio::local::stream_protocol::socket one(context), other(context);
    boost::asio::local::connect_pair(one, other);
    SharedMemory shared(sizeof(LinkMemory));
    new (shared.bytes().data()) LinkMemory;
    slots = another_view(shared, true);
    join(0, StreamSocket(std::move(one)), std::move(shared));
    join(1, StreamSocket(std::move(other)), another_view(slots, true));
  }
  ~Link() {
    for (End& end : ends)
      end.link->close();
  }
  void join(std::size_t number, StreamSocket socket, SharedMemory shared) {
    End& end = ends[number];
    SharedMemoryLink::Parts parts{.socket = std::move(socket),
                                  .link = std::move(shared),
                                  .peers_buffers = another_view(ends[1 - number].memory, false),
                                  .accepted = number == 0};
    end.link = std::make_shared<SharedMemoryLink>(
        std::move(parts), end.memory.bytes(),
        [&end](const std::string& cause) { end.failure = cause; });
  }
  bool until(const std::function<bool()>& ready, bool polled) {
    const auto tried = [&] {
      for (End& end : ends)
        if (polled) end.link->poll();
      return ready();
    };
    return run_until(context, tried);
  }
  /// What the accepting end has posted, as it lies in memory.
  PostedMessages& posted_by_first() {
    return reinterpret_cast<LinkMemory*>(slots.bytes().data())->directions[0];
  }

  boost::asio::io_context context;
  SharedMemory slots;
  End ends[2];
};

TEST_CASE("shared memory: messages land in place in both directions, empty ones too",
          "[exec][shm]") {
  const bool polled = GENERATE(false, true);
  Link link;
  End& left = link.ends[0];
  End& right = link.ends[1];
  std::iota(left.floats().begin(), left.floats().end(), 1.0f);
  std::iota(right.floats().begin(), right.floats().end(), -500.0f);
  std::vector<float> at_right(300), nothing, at_left(1000, 2.0f);
  right.receive(at_right);
  left.send(left.floats().subspan(100, 300));
  left.send({});
  right.receive(nothing);
  right.send(right.floats());
  left.receive(at_left, Operator::Sum);
  REQUIRE(link.until([&] { return right.received == 2 && left.received == 1; }, polled));
  REQUIRE(link.until([&] { return left.sent == 2 && right.sent == 1; }, polled));
  CHECK(std::equal(at_right.begin(), at_right.end(), left.floats().begin() + 100));
  CHECK(at_left[0] == -498.0f);
  CHECK(at_left[999] == 501.0f);
  CHECK(left.link->payload_bytes_sent() == 1200);
}

TEST_CASE("shared memory: more messages than there are slots, larger ones than a turn",
          "[exec][shm]") {
  const bool polled = GENERATE(false, true);
  constexpr std::size_t kFloats = 700'000;  // 2.8 MB
  constexpr int kMessages = 3 * PostedMessages::kSlots + 5;
  Link link(kFloats);
  End& left = link.ends[0];
  End& right = link.ends[1];
  std::iota(left.floats().begin(), left.floats().end(), 0.0f);
  std::vector<float> small(kMessages), large(kFloats, 1.0f);
  for (int i = 0; i < kMessages; ++i)
    left.send(left.floats().subspan(static_cast<std::size_t>(i), 1));
  left.send(left.floats());
  for (float& each : small)
    right.receive({&each, 1});
  right.receive(large, Operator::Sum);
  REQUIRE(link.until([&] { return left.sent == kMessages + 1; }, polled));
  for (int i = 0; i < kMessages; ++i)
    CHECK(small[static_cast<std::size_t>(i)] == static_cast<float>(i));
  CHECK(large[kFloats - 1] == static_cast<float>(kFloats));
}

TEST_CASE("shared memory: a message is sent only when its receiver has it", "[exec][shm]") {
  Link link;
  link.ends[0].send(link.ends[0].floats().first(10));
  for (int i = 0; i < 100; ++i)
    for (End& end : link.ends)
      end.link->poll();
  CHECK(link.ends[0].sent == 0);
  std::vector<float> into(10);
  link.ends[1].receive(into);
  CHECK(link.until([&] { return link.ends[0].sent == 1; }, true));
}

TEST_CASE("shared memory: who was polled and now rests is woken", "[exec][shm]") {
  Link link;
  End& left = link.ends[0];
  End& right = link.ends[1];
  std::vector<float> into(10);
  right.receive(into);
  for (End& end : link.ends) {
    end.link->poll();
    end.link->rest();
  }
  left.send(left.floats().first(10));
  CHECK(link.until([&] { return right.received == 1 && left.sent == 1; }, false));
}

TEST_CASE("shared memory: what isn't due, or lies elsewhere, is an error", "[exec][shm]") {
  Link link;
  End& right = link.ends[1];
  std::vector<float> into(10);
  SECTION("another size") {
    link.ends[0].send(link.ends[0].floats().first(11));
    right.receive(into);
    CHECK_THAT(right.failure, Catch::Contains("44") && Catch::Contains("40"));
  }
  SECTION("outside the sender's memory") {
    const std::uint64_t offset = GENERATE(3961u, 4000u, 1u, UINT64_MAX - 3);
    CAPTURE(offset);
    PostedMessages& posted = link.posted_by_first();
    posted.slots[0].frame.payload_bytes = 40;
    posted.slots[0].offset = offset;
    posted.posted.store(1);
    right.receive(into);
    CHECK(right.failure == "it sent a message from outside its memory");
  }
  CHECK(right.received == 0);
}

TEST_CASE("shared memory: the end of the peer fails what is due, not what has come",
          "[exec][shm]") {
  const bool polled = GENERATE(false, true);
  Link link;
  End& left = link.ends[0];
  End& right = link.ends[1];
  std::vector<float> came(10), due(10);
  left.send(left.floats().first(10));
  left.link->close();
  right.receive(came);
  CHECK(right.received == 1);
  CHECK(right.failure.empty());
  right.receive(due);
  if (polled) right.link->ready(true, false);
  REQUIRE(link.until([&] { return !right.failure.empty(); }, polled));
  CHECK(right.failure == "connection closed");
}

}  // namespace
}  // namespace lockstep::exec
