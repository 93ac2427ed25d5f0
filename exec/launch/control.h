// SPDX-License-Identifier: Apache-2.0
// A rank's control connections after the rendezvous: heartbeats, verdicts, replica hashes, reports,
// results and the barrier.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "exec/launch/control_link.h"
#include "exec/launch/iteration_report.h"
#include "exec/launch/judge.h"
#include "exec/launch/peer.h"

namespace lockstep::exec {

/// Rank 0 has a link to everybody, the others have one to rank 0. Both ways go heartbeats, every
/// timeout / 5 and at least once a second; rank 0's verdict goes to all.
/// Lives on the communication thread.
class Control {
 public:
  struct Events {
    /// Somebody is lost; once.
    std::function<void(const Verdict&)> verdict;
    /// Rank 0: of an iteration of a rank, its own included.
    std::function<void(Rank, const IterationReport&)> report;
    /// Rank 0: what a rank gave, its own included.
    std::function<void(Rank, std::string)> blob;
    /// All ranks have arrived once more.
    std::function<void()> released;
    /// Some link has ended.
    std::function<void()> link_ended;
  };

  Control(boost::asio::io_context& context, Rank rank, const std::vector<Peer>& peers,
          std::vector<std::pair<Rank, boost::asio::ip::tcp::socket>> links,
          std::chrono::nanoseconds timeout, Events events);
  ~Control();
  void start();

  /// A data connection to `peer` failed: rank 0 is told, a verdict will follow.
  void suspect(Rank peer, const std::string& cause);
  /// This rank gives up: all are told why. No verdict follows here.
  void give_up(const std::string& reason);
  void give_hash(std::int32_t iteration, std::uint64_t hash);
  void give_report(const IterationReport& report);
  void give_blob(std::string blob);
  /// At the barrier; `for_good`: this rank will not be heard of again after it.
  void arrive(bool for_good);

  /// Says that no more comes. The links end when the other sides have done so too.
  void end_sending();
  bool all_links_ended() const { return links_left_ == 0; }
  /// No function is called any more.
  void stop();

 private:
  struct Link {
    Rank peer = 0;
    std::shared_ptr<ControlLink> link;
  };

  void open(Rank peer, boost::asio::ip::tcp::socket socket);
  void receive(Rank from, const Message& message);
  void arrived(Rank from);
  void released();
  void send_to_all(MessageKind kind, const std::string& body);
  void tick();
  void arm();
  void decide();

  Rank rank_;
  std::vector<std::string> names_;
  std::int64_t beat_ns_;
  Events events_;
  Judge judge_;
  boost::asio::steady_timer timer_;
  std::int64_t next_beat_ns_ = 0;
  std::vector<Link> links_;
  std::size_t links_left_ = 0;
  std::vector<std::int32_t> arrivals_;  // rank 0: of every rank
  std::int32_t releases_ = 0;
  bool leaving_ = false;
  bool decided_ = false;  // a verdict has been given or this rank has given up
  bool stopped_ = false;
};

}  // namespace lockstep::exec
