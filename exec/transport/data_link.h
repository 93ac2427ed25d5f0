// SPDX-License-Identifier: Apache-2.0
// What carries messages between two ranks on one stream: a socket, or memory that both share.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "exec/transport/frame.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// Where a message goes when it arrives.
struct Arrival {
  std::span<std::byte> into;
  schedule::Operator combine = schedule::Operator::Replace;
  schedule::ElementType type = schedule::ElementType::Float32;
  std::int32_t iteration = 0;
};

/// Messages out and messages in, each first to first. Calls move what they can at once. What would
/// block goes on in one of two ways: *polled*, when its owner calls poll() again and again; or
/// *resting*, when the io_context calls as soon as there is something to move. Begins resting.
/// Lives on the communication thread; functions may be called before send() and receive() return.
class DataLink {
 public:
  using Sent = std::function<void()>;
  using Received = std::function<void(std::int64_t sender_started_ns)>;
  /// Called once, after which nothing else is.
  using Failed = std::function<void(const std::string& cause)>;

  DataLink() = default;
  virtual ~DataLink() = default;
  DataLink(const DataLink&) = delete;
  DataLink& operator=(const DataLink&) = delete;

  /// `payload` must stay as it is until `sent` is called.
  virtual void send(const Frame& frame, std::span<const std::byte> payload, Sent sent) = 0;
  /// `received` is called when the data is in place.
  virtual void receive(const Arrival& arrival, Received received) = 0;

  /// From now on polled. Returns whether anything moved.
  virtual bool poll() = 0;
  /// Before poll(): its socket, if it has one, has become ready (ReadySet).
  virtual void ready(bool readable, bool writable) = 0;
  /// From now on resting.
  virtual void rest() = 0;
  /// Calls no function any more.
  virtual void close() = 0;

  virtual std::uint64_t payload_bytes_sent() const = 0;
  /// What sending has taken of the thread so far: system calls that moved something, or posting.
  virtual std::int64_t sending_ns() const = 0;
};

/// What is wrong with a message's header where `due` is due; empty if nothing is.
std::string fault_of(const Frame& frame, const Arrival& due);

}  // namespace lockstep::exec
