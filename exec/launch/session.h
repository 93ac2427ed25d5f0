// SPDX-License-Identifier: Apache-2.0
// A rank's membership of a job, from the rendezvous to the last goodbye, and the communication
// thread that keeps it up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/launch/iteration_report.h"
#include "exec/launch/peer.h"
#include "exec/transport/channels.h"
#include "exec/transport/clock.h"
#include "exec/transport/errors.h"
#include "exec/transport/secret.h"
#include "models/base/intra_host.h"

namespace lockstep::exec {

class Mesh;

/// Which rank this process is, and where the others are to be found.
struct RankOptions {
  Rank rank = 0;
  std::int32_t ranks = 1;
  std::string host = "127.0.0.1";  // the rendezvous: rank 0 listens there
  std::uint16_t port = 0;
  int listening_socket = -1;   // rank 0: a descriptor that already listens there, from the launcher
  bool loopback_only = false;  // all ranks are on this host
  Secret secret;
  double timeout_seconds = 5;              // silence after which a peer is lost
  double rendezvous_timeout_seconds = 30;  // for everybody to come
  IntraHost intra_host = IntraHost::Tcp;   // between ranks of one host; counts on rank 0
};

/// Functions are for any thread but the communication thread, unless they say otherwise. Those that
/// wait end with PeerError as soon as somebody is lost. A job of one rank uses no network at all.
class Session {
 public:
  /// Returns when all ranks have met. `resolved_job` counts on rank 0, at most 16 MiB. Throws
  /// PeerError; ConfigError when the rendezvous has no address, or rank 0 can't listen there.
  Session(const RankOptions& options, std::string resolved_job);
  /// Without leave() the others are told that this rank gave up.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Rank rank() const;
  std::int32_t ranks() const;
  /// Rank 0's.
  const std::string& resolved_job() const;
  const std::vector<Peer>& peers() const;
  const Clock& clock() const;

  /// Memory for what is sent and received, zeroed; as long as the session lives. Once at most, and
  /// before connect(). Where ranks of this host share memory it is theirs to read.
  std::span<std::byte> allocate(std::size_t bytes);
  /// The ranks that this one reaches without a network, itself included.
  std::vector<bool> ranks_here() const;

  /// Makes the data connections that aren't there yet: see peers_of(). All ranks of those must call
  /// it, at whatever time.
  void connect(const std::vector<Channel>& channels);

  /// Doesn't wait. Rank 0 compares the hashes of all ranks after an iteration; a difference is the
  /// job's end.
  void check_replica(std::int32_t iteration, std::uint64_t hash);
  /// Doesn't wait. Rank 0's function (set before, called on the communication thread) gets it.
  void report(const IterationReport& report);
  void on_report(std::function<void(Rank, const IterationReport&)> function);

  /// Hands `blob` (at most 256 MiB) to rank 0. There, waits for everybody's and returns them by
  /// rank; elsewhere returns at once with nothing.
  std::vector<std::string> gather(std::string blob);
  /// Waits until all ranks are here.
  void barrier();
  /// The last barrier: afterwards nobody's end is an error.
  void leave();

  /// This rank can't go on, for a reason that isn't a peer's; the others end with that reason. For
  /// the thread that is about to end the session.
  void give_up(const std::string& reason);

  /// What the executor needs.
  Mesh& mesh();                                      // on the communication thread only
  void post(std::function<void()> function);         // runs it on the communication thread, later
  void call(const std::function<void()>& function);  // the same, and waits for it
  /// Called on the communication thread when a peer is lost (at once, if one is already).
  void on_failure(std::function<void()> function);
  std::optional<PeerError> failure() const;
  /// While true, the communication thread looks for work all the time instead of sleeping: an
  /// answer comes some 50 us sooner, at the price of a core. It sleeps all the same once nothing
  /// has happened for 10 ms.
  void set_polling(bool polling);
  /// How the communication thread has spent its time while polling.
  struct Effort {
    std::int64_t working_ns = 0;  // all but turns in vain
    std::int64_t sending_ns = 0;  // of that, in system calls that send, or in posting
  };
  Effort effort();
  /// Connections that were refused.
  int strangers();

 private:
  struct Life;
  std::unique_ptr<Life> life_;
};

}  // namespace lockstep::exec
