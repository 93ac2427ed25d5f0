// SPDX-License-Identifier: Apache-2.0
// What happens next: the events of one simulation in the order of their times, and of their
// entry where times are equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/base/units.h"

namespace lockstep::sim {

/// Plain data: what a kind and its payload mean is up to whoever put it in.
struct Event {
  Time time;
  std::uint64_t sequence = 0;  // order of entry, unique within a queue
  std::uint32_t payload = 0;
  std::uint8_t kind = 0;
};

/// A priority queue for events that mostly come in order: the delays of one kind of event are often
/// alike, so an event rarely precedes the last one of its kind. Each kind has a FIFO for the events
/// that do not; the others go to a 4-ary heap that all kinds share. The next event is the least of
/// the heads, so the order is exact.
class EventQueue {
 public:
  /// Times beyond this one, 53 days, are taken for a slip in the input.
  static constexpr Time kLatest{(std::int64_t{1} << 62) - 1};
  /// A time that is entered in place of one that is too large to be a number; now() + kNever does
  /// not wrap.
  static constexpr Time kNever{std::int64_t{1} << 62};

  /// For events of kind 0 … kinds−1.
  explicit EventQueue(std::uint8_t kinds);

  /// Enters an event and returns its sequence number. `time` is not before now(). Throws
  /// ConfigError when it is after kLatest.
  std::uint64_t push(Time time, std::uint8_t kind, std::uint32_t payload);
  bool empty() const { return heads_[next_].time == Time::max(); }
  /// Of the next event; Time::max() when there is none.
  Time next_time() const { return heads_[next_].time; }
  /// Takes out the next event and sets the clock to its time. Only when not empty.
  Event pop();
  /// Time of the last event taken out.
  Time now() const { return now_; }
  std::uint64_t popped() const { return popped_; }

 private:
  /// A ring of 2^k events.
  struct Fifo {
    std::vector<Event> ring;
    std::size_t first = 0;
    std::size_t count = 0;

    Event& at(std::size_t i) { return ring[(first + i) & (ring.size() - 1)]; }
    void grow();
  };
  /// Time and sequence of an event; those of no event are the greatest.
  struct Key {
    Time time = Time::max();
    std::uint64_t sequence = UINT64_MAX;

    bool precedes(const Key& other) const {
      return time < other.time || (time == other.time && sequence < other.sequence);
    }
  };

  static constexpr std::size_t kHeap = 0;     // source
  static constexpr std::uint8_t kUnused = 0;  // kind whose FIFO is no source yet

  static Key key_of(const Event& event) { return {event.time, event.sequence}; }
  void push_heap(const Event& event);
  Event pop_heap();
  void find_next();

  /// Sources: the heap, then the FIFOs of the kinds that there have been events of, few of all.
  std::vector<std::uint8_t> source_of_kind_;
  std::vector<Event> heap_;
  std::vector<Fifo> fifos_;  // of each source; the heap's is not used
  std::vector<Key> heads_;   // of each source
  std::size_t next_ = 0;     // the source with the least of the heads
  Time now_;
  std::uint64_t sequence_ = 0;
  std::uint64_t popped_ = 0;
};

}  // namespace lockstep::sim
