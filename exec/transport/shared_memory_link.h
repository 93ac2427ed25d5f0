// SPDX-License-Identifier: Apache-2.0
// A data link through memory that both ranks have mapped: the receiver takes a message straight
// from where the sender has it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "exec/transport/data_link.h"
#include "exec/transport/queue.h"
#include "exec/transport/shared_memory.h"
#include "exec/transport/socket.h"

namespace lockstep::exec {

/// One direction of a link, in memory that both map. The sender posts where messages lie, in order;
/// the receiver takes them in order and counts them. Each counter and slot has a cache line.
struct PostedMessages {
  static constexpr std::uint64_t kSlots = 64;
  struct alignas(64) Slot {
    Frame frame;
    std::uint64_t offset;  // of the payload in the sender's memory
  };
  alignas(64) std::atomic<std::uint64_t> posted{0};
  alignas(64) std::atomic<std::uint64_t> taken{0};
  alignas(64) std::atomic<std::uint32_t> sender_sleeps{0};
  std::atomic<std::uint32_t> receiver_sleeps{0};
  Slot slots[kSlots];
};

/// What both ends of a link share: [0] from the end that accepted, [1] from the one that connected.
struct LinkMemory {
  PostedMessages directions[2];
};

/// A message is sent once the receiver has it: as the payload is read where it lies, that is as
/// soon as its place may be used again. A side that sleeps is woken by a byte on a Unix socket,
/// whose end also tells that the peer is gone. Kept alive by its own pending waits.
class SharedMemoryLink final : public DataLink,
                               public std::enable_shared_from_this<SharedMemoryLink> {
 public:
  struct Parts {
    StreamSocket socket;
    SharedMemory link;           // a LinkMemory
    SharedMemory peers_buffers;  // what the peer sends from
    bool accepted = false;       // this end accepted the connection
  };
  /// `own_buffers` is the memory that every payload to be sent lies in, the same that the peer has
  /// as `peers_buffers`.
  SharedMemoryLink(Parts parts, std::span<const std::byte> own_buffers, Failed failed);

  void send(const Frame& frame, std::span<const std::byte> payload, Sent sent) override;
  void receive(const Arrival& arrival, Received received) override;
  bool poll() override;
  void ready(bool readable, bool writable) override;
  void rest() override;
  void close() override;
  std::uint64_t payload_bytes_sent() const override { return payload_bytes_sent_; }
  std::int64_t sending_ns() const override { return sending_ns_; }

 private:
  struct Outgoing {
    Frame frame;
    std::uint64_t offset = 0;
    Sent sent;
  };
  struct Incoming {
    Arrival arrival;
    Received received;
  };

  /// One turn: posts, takes, completes; about a megabyte at most. Whether anything moved.
  bool turn();
  bool post_and_complete();
  bool take();
  bool begin_to_take(const PostedMessages::Slot& slot);
  bool waits() const { return !outgoing_.empty() || !incoming_.empty(); }
  void arm();
  void wait_for_bell();
  void ring_bell();
  void hear_bell();
  void fail(const std::string& cause);

  Parts parts_;
  std::span<const std::byte> own_buffers_;
  Failed failed_;
  PostedMessages& out_;
  PostedMessages& in_;
  bool open_ = true;
  bool polled_ = false;
  bool moving_ = false;  // a turn runs
  bool waiting_for_bell_ = false;
  bool turn_is_due_ = false;  // posted to the io_context
  bool peer_has_ended_ = false;

  Queue<Outgoing> unposted_;
  Queue<Outgoing> outgoing_;  // posted, not yet taken
  std::uint64_t posted_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t payload_bytes_sent_ = 0;
  std::int64_t sending_ns_ = 0;

  Queue<Incoming> incoming_;
  std::uint64_t taken_ = 0;
  bool is_taking_ = false;  // the front message's header is checked
  std::span<const std::byte> source_;
  std::size_t done_ = 0;  // bytes of the front message
};

}  // namespace lockstep::exec
