// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/shared_memory_link.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "exec/transport/clock.h"
#include "exec/transport/combine.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using boost::system::error_code;

/// Of one turn.
constexpr std::size_t kTurnBytes = std::size_t{1} << 20;

PostedMessages& direction(const SharedMemory& memory, std::size_t number) {
  LOCKSTEP_CHECK(memory.bytes().size() >= sizeof(LinkMemory), "a link's memory is too small");
  return reinterpret_cast<LinkMemory*>(memory.bytes().data())->directions[number];
}

}  // namespace

SharedMemoryLink::SharedMemoryLink(Parts parts, std::span<const std::byte> own_buffers,
                                   Failed failed)
    : parts_(std::move(parts)),
      own_buffers_(own_buffers),
      failed_(std::move(failed)),
      out_(direction(parts_.link, parts_.accepted ? 0 : 1)),
      in_(direction(parts_.link, parts_.accepted ? 1 : 0)) {
  error_code ignored;
  parts_.socket.non_blocking(true, ignored);
}

void SharedMemoryLink::send(const Frame& frame, std::span<const std::byte> payload, Sent sent) {
  std::uint64_t offset = 0;
  if (!payload.empty()) {
    LOCKSTEP_CHECK(payload.data() >= own_buffers_.data() &&
                       payload.data() + payload.size() <= own_buffers_.data() + own_buffers_.size(),
                   "a message of " + std::to_string(payload.size()) +
                       " bytes does not lie in the memory that the peer can see");
    offset = static_cast<std::uint64_t>(payload.data() - own_buffers_.data());
  }
  payload_bytes_sent_ += payload.size();
  unposted_.push({frame, offset, std::move(sent)});
  if (!moving_ && open_) turn();
}

void SharedMemoryLink::receive(const Arrival& arrival, Received received) {
  incoming_.push({arrival, std::move(received)});
  if (!moving_ && open_) turn();
}

bool SharedMemoryLink::poll() {
  if (!std::exchange(polled_, true)) {
    out_.sender_sleeps.store(0, std::memory_order_relaxed);
    in_.receiver_sleeps.store(0, std::memory_order_relaxed);
  }
  return open_ && !moving_ && turn();
}

void SharedMemoryLink::ready(bool readable, bool) {
  if (readable && open_) hear_bell();
}

void SharedMemoryLink::rest() {
  polled_ = false;
  if (open_ && !moving_) arm();
}

void SharedMemoryLink::close() {
  open_ = false;
  error_code ignored;
  parts_.socket.close(ignored);
}

/// Functions that are called meanwhile may send and receive more, which this turn then sees to.
bool SharedMemoryLink::turn() {
  moving_ = true;
  bool moved = false;
  std::size_t rounds = 0;
  while (open_ && ++rounds < 64) {
    const bool completed = post_and_complete();
    const bool took = open_ && take();
    if (!completed && !took) break;
    moved = true;
    if (is_taking_) break;  // a large message: other links have their turn
  }
  moving_ = false;
  if (open_ && !polled_) arm();
  return moved;
}

bool SharedMemoryLink::post_and_complete() {
  bool moved = false;
  while (!unposted_.empty() && posted_ - completed_ < PostedMessages::kSlots) {
    const std::int64_t start_ns = steady_ns();
    Outgoing message = unposted_.pop();
    out_.slots[posted_ % PostedMessages::kSlots] = {message.frame, message.offset};
    out_.posted.store(++posted_, std::memory_order_seq_cst);
    outgoing_.push(std::move(message));
    if (out_.receiver_sleeps.load(std::memory_order_seq_cst) != 0) ring_bell();
    sending_ns_ += steady_ns() - start_ns;
    moved = true;
  }
  while (open_ && completed_ < posted_ && out_.taken.load(std::memory_order_acquire) > completed_) {
    ++completed_;
    const Sent sent = outgoing_.pop().sent;
    sent();
    moved = true;
  }
  return moved;
}

bool SharedMemoryLink::take() {
  if (incoming_.empty()) return false;
  if (!is_taking_) {
    if (in_.posted.load(std::memory_order_acquire) <= taken_) {
      if (peer_has_ended_) fail("connection closed");
      return false;
    }
    if (!begin_to_take(in_.slots[taken_ % PostedMessages::kSlots])) return true;
  }
  const Arrival& arrival = incoming_.front().arrival;
  const std::size_t piece = std::min(kTurnBytes, arrival.into.size() - done_);
  combine(arrival.combine, arrival.type, source_.subspan(done_, piece),
          arrival.into.subspan(done_, piece));
  done_ += piece;
  is_taking_ = done_ < arrival.into.size();
  if (is_taking_) return true;
  const std::int64_t started_ns = in_.slots[taken_ % PostedMessages::kSlots].frame.started_ns;
  in_.taken.store(++taken_, std::memory_order_seq_cst);
  if (in_.sender_sleeps.load(std::memory_order_seq_cst) != 0) ring_bell();
  const Received received = incoming_.pop().received;
  received(started_ns);
  return true;
}

/// Believes nothing of what the peer wrote.
bool SharedMemoryLink::begin_to_take(const PostedMessages::Slot& slot) {
  const Frame frame = slot.frame;
  const std::uint64_t offset = slot.offset;
  const std::uint64_t size = parts_.peers_buffers.bytes().size();
  std::string fault = fault_of(frame, incoming_.front().arrival);
  const bool is_inside = offset <= size && frame.payload_bytes <= size - offset &&
                         offset % bytes_of(incoming_.front().arrival.type) == 0;
  if (fault.empty() && !is_inside) fault = "it sent a message from outside its memory";
  if (!fault.empty()) {
    fail(fault);
    return false;
  }
  source_ = parts_.peers_buffers.bytes().subspan(offset, frame.payload_bytes);
  done_ = 0;
  is_taking_ = true;
  return true;
}

/// The thread will sleep: the peer is to ring when there is something. Whatever came before it
/// could know that, is seen by the turn that is due then.
void SharedMemoryLink::arm() {
  if (!waits() && unposted_.empty()) return;
  out_.sender_sleeps.store(1, std::memory_order_seq_cst);
  in_.receiver_sleeps.store(1, std::memory_order_seq_cst);
  wait_for_bell();
  const bool can_take =
      !incoming_.empty() && (is_taking_ || in_.posted.load(std::memory_order_seq_cst) > taken_);
  const bool can_complete = out_.taken.load(std::memory_order_seq_cst) > completed_;
  if ((!can_take && !can_complete) || std::exchange(turn_is_due_, true)) return;
  boost::asio::post(parts_.socket.get_executor(), [self = shared_from_this()] {
    self->turn_is_due_ = false;
    if (self->open_ && !self->moving_ && !self->polled_) self->turn();
  });
}

void SharedMemoryLink::wait_for_bell() {
  if (std::exchange(waiting_for_bell_, true) || peer_has_ended_) return;
  parts_.socket.async_wait(StreamSocket::wait_read, [self = shared_from_this()](const error_code&) {
    self->waiting_for_bell_ = false;
    if (!self->open_) return;
    self->hear_bell();
    if (self->open_ && !self->moving_ && !self->polled_) self->turn();
  });
}

void SharedMemoryLink::ring_bell() {
  constexpr std::array<std::byte, 1> kBell{};
  error_code ignored;  // full: it has been rung often enough; broken: that shows in hearing
  parts_.socket.write_some(boost::asio::buffer(kBell), ignored);
}

/// Takes the bells off the socket. Its end is an error once something is due that has not been
/// posted.
void SharedMemoryLink::hear_bell() {
  std::array<std::byte, 64> bells;
  error_code error;
  while (!error)
    parts_.socket.read_some(boost::asio::buffer(bells), error);
  if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) return;
  peer_has_ended_ = true;
  if (!outgoing_.empty() && out_.taken.load(std::memory_order_acquire) < posted_)
    fail("connection closed");
}

void SharedMemoryLink::fail(const std::string& cause) {
  if (!open_) return;
  close();
  failed_(cause);
}

}  // namespace lockstep::exec
