// SPDX-License-Identifier: Apache-2.0
#include "sim/engine/event_queue.h"

#include <algorithm>

#include "models/base/errors.h"

namespace lockstep::sim {

EventQueue::EventQueue(std::uint8_t kinds)
    : source_of_kind_(kinds, kUnused), fifos_(1), heads_(1) {}

void EventQueue::Fifo::grow() {
  std::vector<Event> larger(2 * ring.size());
  for (std::size_t i = 0; i < count; ++i)
    larger[i] = at(i);
  ring.swap(larger);
  first = 0;
}

std::uint64_t EventQueue::push(Time time, std::uint8_t kind, std::uint32_t payload) {
  LOCKSTEP_CHECK(time >= now_, "an event at " + std::to_string(time.picoseconds) +
                                   " ps is entered at " + std::to_string(now_.picoseconds) + " ps");
  if (time > kLatest) throw ConfigError("simulation", "simulated time would exceed 53 days");
  const Event event{time, sequence_++, payload, kind};
  std::size_t source = source_of_kind_[kind];
  if (source == kUnused) {
    source = source_of_kind_[kind] = static_cast<std::uint8_t>(fifos_.size());
    fifos_.emplace_back().ring.resize(64);
    heads_.emplace_back();
  }
  Fifo& fifo = fifos_[source];
  if (fifo.count == 0 || fifo.at(fifo.count - 1).time <= time) {
    if (fifo.count == fifo.ring.size()) fifo.grow();
    fifo.at(fifo.count++) = event;
    if (fifo.count > 1) return event.sequence;  // the head is as before
  } else {
    push_heap(event);
    source = kHeap;
    if (heap_.front().sequence != event.sequence) return event.sequence;
  }
  heads_[source] = key_of(event);
  if (heads_[source].precedes(heads_[next_])) next_ = source;
  return event.sequence;
}

Event EventQueue::pop() {
  Event event;
  if (next_ != kHeap) {
    Fifo& fifo = fifos_[next_];
    event = fifo.at(0);
    ++fifo.first;
    --fifo.count;
    heads_[next_] = fifo.count > 0 ? key_of(fifo.at(0)) : Key{};
  } else {
    event = pop_heap();
    heads_[next_] = heap_.empty() ? Key{} : key_of(heap_.front());
  }
  find_next();
  now_ = event.time;
  ++popped_;
  return event;
}

void EventQueue::find_next() {
  next_ = 0;
  for (std::size_t i = 1; i < heads_.size(); ++i)
    if (heads_[i].precedes(heads_[next_])) next_ = i;
}

void EventQueue::push_heap(const Event& event) {
  std::size_t hole = heap_.size();
  heap_.push_back(event);
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / 4;
    if (!key_of(event).precedes(key_of(heap_[parent]))) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = event;
}

Event EventQueue::pop_heap() {
  const Event top = heap_.front();
  const Event last = heap_.back();
  heap_.pop_back();
  const std::size_t size = heap_.size();
  std::size_t hole = 0;
  for (std::size_t child = 1; child < size; child = 4 * hole + 1) {
    const std::size_t end = std::min(child + 4, size);
    std::size_t least = child;
    for (std::size_t other = child + 1; other < end; ++other)
      if (key_of(heap_[other]).precedes(key_of(heap_[least]))) least = other;
    if (!key_of(heap_[least]).precedes(key_of(last))) break;
    heap_[hole] = heap_[least];
    hole = least;
  }
  if (size > 0) heap_[hole] = last;
  return top;
}

}  // namespace lockstep::sim
