// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "sim/engine/event_queue.h"

namespace lockstep::sim {

TEST_CASE("engine: events come in the order of time, then of entry", "[engine]") {
  EventQueue queue(3);
  CHECK(queue.empty());
  CHECK(queue.next_time() == Time::max());
  queue.push(Time{30}, 0, 1);
  queue.push(Time{10}, 0, 2);  // earlier than the tail of its FIFO: to the heap
  queue.push(Time{10}, 1, 3);
  queue.push(Time{20}, 2, 4);
  queue.push(Time{10}, 0, 5);
  std::vector<std::uint32_t> payloads;
  while (!queue.empty()) {
    const Time expected = queue.next_time();
    const Event event = queue.pop();
    CHECK(event.time == expected);
    CHECK(queue.now() == expected);
    payloads.push_back(event.payload);
  }
  CHECK(payloads == std::vector<std::uint32_t>{2, 3, 5, 4, 1});
  CHECK(queue.popped() == 5);
}

TEST_CASE("engine: the order is exact for any mixture of pushes and pops", "[engine]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto kinds = static_cast<std::uint8_t>(1 + random.below(5));
    const std::uint64_t spread = 1 + random.below(40);  // small: many ties
    EventQueue queue(kinds);
    struct Entry {
      std::int64_t time;
      std::uint64_t sequence;
      std::uint32_t payload;
    };
    std::vector<Entry> reference;
    std::uint32_t payload = 0;
    for (int step = 0; step < 3000; ++step) {
      if (reference.empty() || random.below(100) < (step % 1000 < 500 ? 60u : 40u)) {
        const Time time{queue.now().picoseconds + static_cast<std::int64_t>(random.below(spread))};
        const auto kind = static_cast<std::uint8_t>(random.below(kinds));
        reference.push_back({time.picoseconds, queue.push(time, kind, payload), payload});
        ++payload;
        continue;
      }
      const auto least =
          std::min_element(reference.begin(), reference.end(), [](const Entry& a, const Entry& b) {
            return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
          });
      const Event event = queue.pop();
      REQUIRE(event.time.picoseconds == least->time);
      REQUIRE(event.sequence == least->sequence);
      REQUIRE(event.payload == least->payload);
      reference.erase(least);
      REQUIRE(queue.empty() == reference.empty());
    }
  }
}

TEST_CASE("engine: a time beyond 53 days is the input's fault", "[engine]") {
  EventQueue queue(1);
  queue.push(EventQueue::kLatest, 0, 0);
  CHECK_THROWS_AS(queue.push(Time{EventQueue::kLatest.picoseconds + 1}, 0, 0), ConfigError);
}

}  // namespace lockstep::sim
