// SPDX-License-Identifier: Apache-2.0
// What computations and messages ask of the cluster: cost model, topology and placement put
// together as terms that the simulation can apply without a further look at any of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/base/ids.h"
#include "models/base/units.h"
#include "models/cost/cost_model.h"
#include "models/topology/detour.h"
#include "models/topology/placement.h"
#include "models/topology/routes.h"
#include "sim/network/fluid.h"
#include "sim/runner/folding.h"
#include "sim/runner/quotas.h"
#include "sim/runner/shared_network.h"

namespace lockstep::sim {

/// `seconds` in the future, at most EventQueue::kNever.
Time delay(double seconds);

/// The terms on which one sender's messages reach one receiver.
struct Terms {
  Time send_overhead;
  Time receive_overhead;
  Time latency;                      // of the links and of the software
  double send_seconds_per_byte = 0;  // of the lanes
  double receive_seconds_per_byte = 0;
  double bytes_per_second = 0;  // alone: route, sender and receiver, whichever is slowest
  std::uint64_t window_bytes = 0;
  /// Of the flow when its Recv is posted, or not yet: then the receiver's processor has no part in
  /// it. [1]: while links with a burst let it pass, if there are any.
  std::array<std::uint32_t, 2> profile{};
  std::array<std::uint32_t, 2> unposted_profile{};
  bool bursts = false;  // whether there is such a link on the route
  /// Between hosts, where one has a quota: the kernel sends and receives while threads pause, so
  /// these copy a message before it flows, or when it has arrived.
  bool copied_before = false;
  bool copied_after = false;

  /// Leaves before the receiver has posted its Recv.
  bool is_eager(std::uint64_t bytes) const { return bytes <= window_bytes; }
  /// How long the bytes flow when nothing else does.
  Time transfer(std::uint64_t bytes) const;
};

/// Ranks on one host share its cores (which may come with a quota, and which hosts may share), its
/// memory bandwidth and its loopback; on one with several sockets each has its own cores and
/// memory, and a rank uses those that it is pinned to. Messages between them take the loopback and,
/// between sockets, the link there; others the links of their route, each for the share of the flow
/// that passes there. There are resources of simulated ranks, and of the hosts and links that stand
/// for others. The arguments must outlive the Cluster.
class Cluster {
 public:
  Cluster(const cost::CostModel& cost, const topology::Topology& topology,
          std::span<const HostId> host_of_rank, std::uint64_t seed, const Folding& folding,
          SharedNetwork& network, Quotas& quotas);

  /// A connection carries all messages from one rank to another of one stream. Numbered 0, 1, ….
  std::uint32_t connect(Rank sender, Rank receiver, std::uint8_t stream);
  std::size_t connections() const { return connections_.size(); }
  /// Whether the connection's messages are priced as between polling ranks of one host.
  bool is_polled(std::uint32_t connection) const { return connections_[connection].polled; }
  /// The processor that the rank's communication thread keeps to; numbered over all hosts.
  std::uint32_t processor(Rank rank) const { return processors_[static_cast<std::size_t>(rank)]; }
  std::uint32_t processors() const { return processor_count_; }
  /// How many ranks keep to that processor.
  std::uint32_t ranks_on(std::uint32_t processor) const { return ranks_on_[processor]; }
  cost::Nearness nearness(Rank a, Rank b) const;
  /// Of the rank's host; kNoQuota when it has none.
  static constexpr std::uint32_t kNoQuota = UINT32_MAX;
  std::uint32_t quota(Rank rank) { return host_of(rank).quota; }

  /// Valid until the next call.
  const Terms& terms(std::uint32_t connection, schedule::Operator combine) {
    const std::uint32_t known = connections_[connection].terms[static_cast<std::size_t>(combine)];
    return known != kNone ? terms_[known] : new_terms(connection, combine);
  }
  std::span<const topology::Hop> route(std::uint32_t connection) const;
  /// Of the connection's route, from the sender on; or of the way back.
  std::vector<LinkId> links(std::uint32_t connection, bool back);
  /// From now on routes that would take the link are shortest paths without it. Once, and where no
  /// link has a burst.
  void avoid(LinkId link);
  /// In the Fluid, of the link that stands for this one.
  std::uint32_t link_resource(LinkId link) {
    return network_.link_resource(folding_.like_link(link));
  }

  /// For a Compute, Encode or Decode step of the rank on `lane`; its amount is in seconds. On the
  /// communication lane it takes turns with messages.
  std::uint32_t compute_profile(Rank rank, schedule::Lane lane, const cost::Demand& demand);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Socket {  // resources
    std::uint32_t cores = kNone;
    std::uint32_t memory = kNone;
  };
  struct Profile {
    std::int32_t rank = 0;       // its number on the host, when that has several sockets
    std::uint32_t lane = kNone;  // the communication lane, if that is held
    cost::Demand demand;
    std::uint32_t number = 0;
  };
  struct Host {
    std::vector<Socket> sockets;  // when a rank is placed here
    std::uint32_t loopback = kNone;
    std::uint32_t quota = kNoQuota;
    std::vector<std::uint32_t> socket_links;  // [from · sockets + to], when there are several
    std::int32_t ranks = 0;
    std::vector<Profile> profiles;  // per second of computing
  };
  /// Of the link between two sockets that a message between two ranks takes, if any.
  struct Crossing {
    std::uint32_t resource = kNone;
    double share = 0;
  };
  struct Connection {
    Rank sender = 0;
    Rank receiver = 0;
    std::uint32_t first_hop = 0;  // in hops_
    std::uint32_t hops = 0;
    std::uint8_t stream = 0;
    Time latency{};  // of the links
    bool polled = false;
    std::array<std::uint32_t, 3> terms{kNone, kNone, kNone};  // by Operator
  };

  /// The routes of a network that has lost a link.
  struct Detour {
    Detour(const topology::Topology& whole, LinkId lost_link, std::uint64_t seed)
        : topology(topology::without_link(whole, lost_link)),
          routes(topology, seed),
          lost(lost_link) {}
    topology::Topology topology;
    topology::Routes routes;
    LinkId lost;
  };

  void find_route(Connection& connection);
  bool takes_lost_link(const Connection& connection) const;
  void add_host(HostId id, const cost::Machine& machine);
  HostId host_id(Rank rank) const { return host_of_rank_[static_cast<std::size_t>(rank)]; }
  bool is_within_host(const Connection& connection) const {
    return host_id(connection.sender) == host_id(connection.receiver);
  }
  void add_lane_use(Rank rank, double usage, std::vector<Use>& uses);
  void assign_processors();
  /// The one that stands for the rank's.
  Host& host_of(Rank rank);
  std::vector<double> socket_shares(Rank rank);
  void add_processor_uses(Rank rank, double cores, double memory, std::vector<Use>& uses);
  void add_shared_use(double cores, std::vector<Use>& uses);
  std::vector<Crossing> crossings(const Connection& connection);
  const Terms& new_terms(std::uint32_t connection, schedule::Operator combine);
  Terms make_terms(const Connection& connection, schedule::Operator combine);
  void add_profiles(Terms& terms, const Connection& connection, const cost::MessageDemand& demand);
  std::array<std::uint32_t, 2> add_flow(const Connection& connection);

  const cost::CostModel& cost_;
  const topology::Topology& topology_;
  std::span<const HostId> host_of_rank_;
  const Folding& folding_;
  SharedNetwork& network_;
  Fluid& fluid_;
  const std::uint64_t seed_;
  Quotas& quotas_;
  topology::Routes routes_;
  std::unique_ptr<Detour> detour_;         // when a link is avoided
  std::vector<Host> hosts_;                // those that stand for others have resources
  std::vector<std::uint32_t> processors_;  // of each rank
  std::vector<std::uint32_t> ranks_on_;    // of each processor
  std::uint32_t processor_count_ = 0;
  std::vector<std::uint32_t> lanes_;        // resource of each simulated rank's communication lane
  std::vector<std::int32_t> rank_on_host_;  // the number of each rank among those of its host
  std::vector<Connection> connections_;
  std::vector<topology::Hop> hops_;  // the routes of all connections
  std::vector<Terms> terms_;
  std::vector<Use> ends_;    // scratch: what a flow uses at its ends
  std::vector<Use> shared_;  // scratch: what a flow always uses
  std::vector<Use> shaped_;  // scratch: the links that a burst passes
};

}  // namespace lockstep::sim
