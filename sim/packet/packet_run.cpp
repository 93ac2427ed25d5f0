// SPDX-License-Identifier: Apache-2.0
#include "sim/packet/packet_run.h"

#include <deque>
#include <map>
#include <string>
#include <tuple>

#include "models/base/errors.h"
#include "models/schedule/progress.h"
#include "models/topology/routes.h"

namespace lockstep::sim {

namespace {

using schedule::Lane;
using schedule::StartedStep;
using schedule::Verb;

class Run {
 public:
  Run(const schedule::Schedule& schedule, const topology::Topology& topology,
      std::span<const HostId> host_of_rank, const TcpOptions& options, std::uint64_t seed,
      std::uint64_t most_packets)
      : schedule_(schedule),
        host_of_rank_(host_of_rank),
        most_packets_(most_packets),
        network_(topology, options, queue_),
        routes_(topology,
                topology.routing == topology::Routing::Split ? topology::Routing::Hash
                                                             : topology.routing,
                seed),
        is_done_(static_cast<std::size_t>(schedule.ranks)) {
    for (Rank rank = 0; rank < schedule.ranks; ++rank)
      ranks_.emplace_back(schedule, rank);
  }

  PacketRun run() {
    for (Rank rank = 0; rank < schedule_.ranks; ++rank)
      pump(rank);
    flush();
    while (unfinished() && !queue_.empty()) {
      const TcpNetwork::Delivery delivery = network_.handle(queue_.pop());
      if (delivery.messages > 0)
        delivered(*channel_of_connection_[delivery.connection], delivery.messages);
      flush();
      if (network_.packets() > most_packets_)
        throw ConfigError("packet",
                          "more than " + std::to_string(most_packets_) +
                              " packets: too large a case for this fidelity, flow will do it");
    }
    LOCKSTEP_CHECK(!unfinished(), "nothing more happens, and ranks have not finished");
    return {queue_.now(), network_.packets(), network_.lost(), network_.timeouts()};
  }

 private:
  /// Messages of one (sender, receiver, stream).
  struct Channel {
    Rank receiver = 0;
    std::uint32_t connection = 0;
    bool is_within_host = false;
    std::uint64_t arrived = 0;         // that no Recv has taken
    std::deque<StartedStep> receives;  // that wait
  };
  using Key = std::tuple<Rank, Rank, std::uint8_t>;

  bool unfinished() const { return finished_ < schedule_.ranks; }

  Channel& channel(Rank sender, Rank receiver, std::uint8_t stream) {
    const auto [found, is_new] = channels_.try_emplace({sender, receiver, stream});
    Channel& made = found->second;
    if (!is_new) return made;
    const HostId from = host_of_rank_[static_cast<std::size_t>(sender)];
    const HostId to = host_of_rank_[static_cast<std::size_t>(receiver)];
    made.receiver = receiver;
    made.is_within_host = from == to;
    if (made.is_within_host) return made;
    const Time back = routes_.between({to, from, receiver, sender, stream}).latency;
    std::vector<LinkId> links;
    for (const topology::Hop& hop : routes_.between({from, to, sender, receiver, stream}).hops)
      links.push_back(hop.link);
    made.connection = network_.connect(std::move(links), back);
    channel_of_connection_.push_back(&made);
    return made;
  }

  /// Starts what the rank may start; all but Recvs that wait complete on the spot.
  void pump(Rank rank) {
    schedule::Progress& progress = ranks_[static_cast<std::size_t>(rank)];
    for (bool again = true; again;) {
      again = false;
      for (const Lane lane : {Lane::Compute, Lane::Input, Lane::Communication})
        while (const StartedStep step = progress.next(lane)) {
          if (step.step->verb == Verb::Recv && !take(rank, step)) continue;
          if (step.step->verb == Verb::Send) send(rank, *step.step);
          progress.complete(step);
          again = true;
        }
    }
    std::uint8_t& is_done = is_done_[static_cast<std::size_t>(rank)];
    if (progress.done() && !is_done) {
      is_done = true;
      ++finished_;
    }
  }

  bool take(Rank rank, const StartedStep& step) {
    Channel& from = channel(step.step->target, rank, step.step->stream);
    if (from.arrived > 0) {
      --from.arrived;
      return true;
    }
    from.receives.push_back(step);
    return false;
  }

  void send(Rank rank, const schedule::Step& step) {
    Channel& to = channel(rank, step.target, step.stream);
    if (to.is_within_host)
      within_host_.push_back(&to);
    else
      network_.send(to.connection, schedule_.bytes(step.from));
  }

  void delivered(Channel& channel, std::uint32_t messages) {
    for (; messages > 0; --messages)
      if (channel.receives.empty()) {
        ++channel.arrived;
      } else {
        ranks_[static_cast<std::size_t>(channel.receiver)].complete(channel.receives.front());
        channel.receives.pop_front();
      }
    pump(channel.receiver);
  }

  /// Not while a rank is being pumped: that would go from one to the other and back.
  void flush() {
    while (!within_host_.empty()) {
      Channel& next = *within_host_.front();
      within_host_.pop_front();
      delivered(next, 1);
    }
  }

  const schedule::Schedule& schedule_;
  std::span<const HostId> host_of_rank_;
  std::uint64_t most_packets_;
  EventQueue queue_{TcpNetwork::kKinds};
  TcpNetwork network_;
  topology::Routes routes_;
  std::deque<schedule::Progress> ranks_;
  std::map<Key, Channel> channels_;
  std::vector<Channel*> channel_of_connection_;
  std::deque<Channel*> within_host_;   // messages that are there at once
  std::vector<std::uint8_t> is_done_;  // [rank]
  std::int32_t finished_ = 0;
};

}  // namespace

PacketRun simulate_packets(const schedule::Schedule& schedule, const topology::Topology& topology,
                           std::span<const HostId> host_of_rank, const TcpOptions& options,
                           std::uint64_t seed, std::uint64_t most_packets) {
  return Run(schedule, topology, host_of_rank, options, seed, most_packets).run();
}

}  // namespace lockstep::sim
