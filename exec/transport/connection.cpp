// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "exec/transport/clock.h"

namespace lockstep::exec {

namespace {

using boost::system::error_code;

/// Of one system call: larger ones gain nothing and leave the cache.
constexpr std::size_t kCallBytes = std::size_t{512} << 10;
/// Of one turn.
constexpr std::size_t kTurnBytes = std::size_t{1} << 20;

bool would_block(const error_code& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

}  // namespace

Connection::Connection(StreamSocket socket, Failed failed)
    : socket_(std::move(socket)), failed_(std::move(failed)) {
  tune_for_data(socket_);
}

void Connection::send(const Frame& frame, std::span<const std::byte> payload, Sent sent) {
  outgoing_.push({encode(frame), payload, std::move(sent)});
  if (writing_.state == State::Idle) begin(writing_);
}

void Connection::receive(const Arrival& arrival, Received received) {
  incoming_.push({arrival, std::move(received)});
  if (reading_.state == State::Idle) begin(reading_);
}

void Connection::begin(Direction& direction) {
  if (!open_) return;
  if (polled_ && !direction.may_move)
    direction.state = State::Blocked;
  else
    turn(direction);
}

bool Connection::poll() {
  if (!std::exchange(polled_, true)) writing_.may_move = reading_.may_move = true;
  bool moved = false;
  for (Direction* direction : {&writing_, &reading_})
    if (direction->state == State::Blocked && direction->may_move && open_)
      moved |= turn(*direction);
  return moved;
}

void Connection::ready(bool readable, bool writable) {
  reading_.may_move |= readable;
  writing_.may_move |= writable;
}

bool Connection::turn(Direction& direction) {
  return &direction == &writing_ ? write_turn() : read_turn();
}

void Connection::rest() {
  polled_ = false;
  for (Direction* direction : {&writing_, &reading_})
    if (direction->state == State::Blocked && open_) arm(*direction, false);
}

void Connection::close() {
  open_ = false;
  error_code ignored;
  socket_.close(ignored);
}

bool Connection::write_turn() {
  writing_.state = State::Moving;
  std::size_t moved = 0;
  while (open_ && !outgoing_.empty()) {
    if (moved > 0 && (moved >= kTurnBytes || !writing_.may_move)) {
      block(writing_, writing_.may_move);
      return true;
    }
    error_code error;
    const std::size_t bytes = write_some(error);
    if (would_block(error)) {
      block(writing_, false);
      return moved > 0;
    }
    if (error) {
      fail(error.message());
      return true;
    }
    moved += bytes;
    written_ += bytes;
    const std::size_t payload_bytes = outgoing_.front().payload.size();
    if (written_ < kFrameBytes + payload_bytes) continue;
    written_ = 0;
    payload_bytes_sent_ += payload_bytes;
    const Sent sent = outgoing_.pop().sent;
    sent();
  }
  writing_.state = State::Idle;
  return moved > 0;
}

std::size_t Connection::write_some(error_code& error) {
  const Outgoing& message = outgoing_.front();
  const std::size_t header_done = std::min(written_, kFrameBytes);
  const std::size_t payload_done = written_ - header_done;
  const std::size_t payload_now = std::min(message.payload.size() - payload_done, kCallBytes);
  const std::array<boost::asio::const_buffer, 2> buffers{
      boost::asio::buffer(message.frame.data() + header_done, kFrameBytes - header_done),
      boost::asio::buffer(message.payload.data() + payload_done, payload_now)};
  const std::int64_t start_ns = steady_ns();
  const std::size_t bytes = socket_.write_some(buffers, error);
  if (bytes > 0) sending_ns_ += steady_ns() - start_ns;
  writing_.may_move = bytes == boost::asio::buffer_size(buffers);  // else the kernel is full
  return bytes;
}

bool Connection::read_turn() {
  reading_.state = State::Moving;
  std::size_t moved = 0;
  while (open_ && !incoming_.empty()) {
    if (moved > 0 && (moved >= kTurnBytes || !reading_.may_move)) {
      block(reading_, reading_.may_move);
      return true;
    }
    error_code error;
    const std::size_t bytes = read_some(error);
    if (would_block(error)) {
      block(reading_, false);
      return moved > 0;
    }
    if (error) {
      fail_reading(error);
      return true;
    }
    moved += bytes;
    if (!take_in(bytes)) return true;
    if (header_read_ < kFrameBytes || payload_read_ < incoming_.front().arrival.into.size())
      continue;
    header_read_ = payload_read_ = payload_done_ = 0;
    const Received received = incoming_.pop().received;
    received(frame_.started_ns);
  }
  reading_.state = State::Idle;
  return moved > 0;
}

/// The header and the first of the payload come with one call: how much is due is known beforehand.
std::size_t Connection::read_some(error_code& error) {
  const Arrival& arrival = incoming_.front().arrival;
  std::span<std::byte> target = arrival.combine == schedule::Operator::Replace
                                    ? arrival.into.subspan(payload_read_)
                                    : std::span<std::byte>{};
  const std::size_t left = arrival.into.size() - payload_read_;
  if (arrival.combine != schedule::Operator::Replace && left > 0) target = combiner_.space();
  target = target.first(std::min({target.size(), left, kCallBytes}));
  const std::array<boost::asio::mutable_buffer, 2> buffers{
      boost::asio::buffer(header_.data() + header_read_, kFrameBytes - header_read_),
      boost::asio::buffer(target.data(), target.size())};
  const std::size_t bytes = socket_.read_some(buffers, error);
  reading_.may_move = bytes == boost::asio::buffer_size(buffers);  // else the kernel is empty
  return bytes;
}

bool Connection::take_in(std::size_t bytes) {
  if (header_read_ < kFrameBytes) {
    const std::size_t of_header = std::min(bytes, kFrameBytes - header_read_);
    header_read_ += of_header;
    bytes -= of_header;
    if (header_read_ == kFrameBytes && !check_header()) return false;
  }
  if (bytes == 0) return true;
  const Arrival& arrival = incoming_.front().arrival;
  payload_read_ += bytes;
  if (arrival.combine == schedule::Operator::Replace) return true;
  payload_done_ +=
      combiner_.arrived(bytes, arrival.combine, arrival.type, arrival.into.subspan(payload_done_));
  return true;
}

bool Connection::check_header() {
  const std::optional<Frame> frame = decode(header_);
  const std::string fault =
      frame ? fault_of(*frame, incoming_.front().arrival) : "it sent a malformed header";
  if (!fault.empty()) {
    fail(fault);
    return false;
  }
  frame_ = *frame;
  return true;
}

/// The direction's turn is over and another is due: at once if it `can_move`, after the turns of
/// other links, else once the socket is ready.
void Connection::block(Direction& direction, bool can_move) {
  direction.state = State::Blocked;
  direction.may_move = can_move;
  if (!polled_) arm(direction, can_move);
}

/// A turn that was polled meanwhile may leave the wait behind; it then finds nothing blocked.
void Connection::arm(Direction& direction, bool can_move) {
  if (std::exchange(direction.armed, true)) return;
  const auto go_on = [self = shared_from_this(), &direction](const error_code& = {}) {
    direction.armed = false;
    if (!self->open_ || direction.state != State::Blocked) return;
    self->turn(direction);  // an error of the wait shows again in the read or write
  };
  if (can_move)
    boost::asio::post(socket_.get_executor(), go_on);
  else
    socket_.async_wait(&direction == &writing_ ? StreamSocket::wait_write : StreamSocket::wait_read,
                       go_on);
}

void Connection::fail_reading(const error_code& error) {
  const bool ended = error == boost::asio::error::eof;
  std::string cause = ended ? "connection closed" : error.message();
  const std::size_t whole = kFrameBytes + incoming_.front().arrival.into.size();
  const std::size_t have = header_read_ + payload_read_;
  if (have > 0)
    cause +=
        " after " + std::to_string(have) + " of a message's " + std::to_string(whole) + " bytes";
  fail(cause);
}

void Connection::fail(const std::string& cause) {
  if (!open_) return;
  close();
  failed_(cause);
}

std::string fault_of(const Frame& frame, const Arrival& due) {
  if (frame.payload_bytes != due.into.size())
    return "it sent a message of " + std::to_string(frame.payload_bytes) + " bytes (fragment " +
           std::to_string(frame.tag.fragment) + ", step " + std::to_string(frame.tag.step) +
           ") where one of " + std::to_string(due.into.size()) + " bytes is due";
  if (frame.tag.iteration != due.iteration)
    return "it sent a message of iteration " + std::to_string(frame.tag.iteration) +
           " where one of iteration " + std::to_string(due.iteration) + " is due";
  return "";
}

}  // namespace lockstep::exec
