// SPDX-License-Identifier: Apache-2.0
// Which ranks, hosts and links are alike, found without being told: colour refinement (Weisfeiler
// and Leman 1968). Things of one colour are told apart when what they are connected with differs in
// colour, until nothing more is; what a renumbering maps onto one another keeps one colour for
// ever.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "models/schedule/schedule.h"
#include "models/topology/routes.h"

namespace lockstep::sim {

/// Colours are numbers from 0 on; of each rank, node (hosts, then switches) and link.
class Refinement {
 public:
  /// Costs are taken to be the same for all ranks. Flows are split, whatever the routing.
  Refinement(const schedule::Schedule& schedule, const topology::Topology& topology,
             const std::vector<HostId>& host_of_rank)
      : schedule_(schedule), topology_(topology), host_of_rank_(host_of_rank) {
    read_programs();
    colour_by_itself();
    for (std::size_t before = 0; before != colours();) {
      before = colours();
      refine();
    }
  }

  std::int32_t rank(Rank rank) const { return ranks_[static_cast<std::size_t>(rank)]; }
  std::int32_t node(std::int32_t node) const { return nodes_[static_cast<std::size_t>(node)]; }
  std::int32_t link(LinkId link) const { return links_[static_cast<std::size_t>(link)]; }
  std::int32_t rank_colours() const { return *std::max_element(ranks_.begin(), ranks_.end()) + 1; }

 private:
  using Key = std::vector<double>;
  struct Message {
    Rank from = 0;
    Rank to = 0;
    std::vector<topology::Hop> hops;
  };

  /// A number for each different key, in the order of keys.
  static void renumber(const std::vector<Key>& keys, std::vector<std::int32_t>& colours) {
    std::map<Key, std::int32_t> numbers;
    for (const Key& key : keys)
      numbers.emplace(key, 0);
    std::int32_t next = 0;
    for (auto& [key, number] : numbers)
      number = next++;
    colours.clear();
    for (const Key& key : keys)
      colours.push_back(numbers.at(key));
  }

  /// What each rank does but for its peers; with whom, in the order of its program; all messages'
  /// routes, once for each pair.
  void read_programs() {
    topology::Routes routes(topology_, topology::Routing::Split, 0);
    std::vector<schedule::Step> slots;
    for (Rank rank = 0; rank < schedule_.ranks; ++rank) {
      Key& program = programs_.emplace_back();
      std::vector<Rank>& peers = peers_.emplace_back();
      std::map<Rank, bool> known;
      for (const schedule::Fragment& fragment : schedule_.fragments) {
        const schedule::StepSource::Shape shape = fragment.steps->shape(rank);
        program.insert(program.end(), {double(shape.rounds), double(shape.steps_per_round)});
        for (std::uint32_t round = 0; round < shape.rounds; ++round) {
          slots.assign(shape.steps_per_round, {});
          fragment.steps->emit(rank, round, slots);
          for (const schedule::Step& step : slots) {
            using enum schedule::Verb;
            const bool is_message = step.verb == Send || step.verb == Recv;
            program.insert(program.end(),
                           {double(step.verb), double(step.lane), double(step.combine),
                            double(step.stream), double(step.from.count), double(step.into.count),
                            double(is_message ? -1 : step.target), double(step.after_count)});
            for (std::uint8_t i = 0; i < step.after_count; ++i)
              program.push_back(double(step.after[i]));
            if (is_message) peers.push_back(step.target);
            if (step.verb != Send || !known.emplace(step.target, true).second) continue;
            const HostId from = host_of_rank_[static_cast<std::size_t>(rank)];
            const HostId to = host_of_rank_[static_cast<std::size_t>(step.target)];
            const topology::Route route = routes.between({.from = from, .to = to});
            messages_.push_back({rank, step.target, {route.hops.begin(), route.hops.end()}});
          }
        }
      }
    }
  }

  void colour_by_itself() {
    renumber(programs_, ranks_);
    std::vector<Key> keys;
    for (std::int32_t node = 0; node < topology_.nodes(); ++node) {
      keys.emplace_back();
      if (!topology_.is_host(node)) continue;
      const topology::Host& host = topology_.hosts[static_cast<std::size_t>(node)];
      keys.back() = {host.speed, host.cores, double(host.sockets), host.socket_bytes_per_second,
                     host.socket_latency.seconds()};
    }
    renumber(keys, nodes_);
    keys.clear();
    for (const topology::Link& link : topology_.links)
      keys.push_back({link.bytes_per_second, link.latency.seconds(), link.header_efficiency,
                      double(link.burst_bytes)});
    if (keys.empty()) return;
    renumber(keys, links_);
  }

  /// In any order: what is around a thing has none.
  static void append_sorted(std::vector<Key> parts, Key& key) {
    std::sort(parts.begin(), parts.end());
    for (const Key& part : parts)
      key.insert(key.end(), part.begin(), part.end());
  }

  void refine() {
    std::vector<Key> ranks, links;
    std::vector<std::vector<Key>> at_node(nodes_.size()), on_link(links_.size());
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      Key& key = ranks.emplace_back(Key{double(ranks_[r]), double(node(host_of_rank_[r]))});
      for (const Rank peer : peers_[r])
        key.push_back(rank(peer));
      at_node[static_cast<std::size_t>(host_of_rank_[r])].push_back({0, double(ranks_[r])});
    }
    for (const Message& message : messages_)
      for (const topology::Hop& hop : message.hops)
        on_link[static_cast<std::size_t>(hop.link)].push_back(
            {double(rank(message.from)), double(rank(message.to)), hop.share});
    for (std::size_t l = 0; l < links_.size(); ++l) {
      const topology::Link& link = topology_.links[l];
      Key& key = links.emplace_back(
          Key{double(links_[l]), double(node(link.from)), double(node(link.to))});
      append_sorted(std::move(on_link[l]), key);
      at_node[static_cast<std::size_t>(link.from)].push_back({1, double(links_[l])});
      at_node[static_cast<std::size_t>(link.to)].push_back({2, double(links_[l])});
    }
    std::vector<Key> nodes;
    for (std::size_t n = 0; n < nodes_.size(); ++n)
      append_sorted(std::move(at_node[n]), nodes.emplace_back(Key{double(nodes_[n])}));
    renumber(ranks, ranks_);
    renumber(nodes, nodes_);
    renumber(links, links_);
  }

  static std::size_t most(const std::vector<std::int32_t>& colours) {
    return colours.empty()
               ? 0
               : static_cast<std::size_t>(*std::max_element(colours.begin(), colours.end()) + 1);
  }
  std::size_t colours() const { return most(ranks_) + most(nodes_) + most(links_); }

  const schedule::Schedule& schedule_;
  const topology::Topology& topology_;
  const std::vector<HostId>& host_of_rank_;
  std::vector<Key> programs_;
  std::vector<std::vector<Rank>> peers_;
  std::vector<Message> messages_;
  std::vector<std::int32_t> ranks_;
  std::vector<std::int32_t> nodes_;
  std::vector<std::int32_t> links_;
};

}  // namespace lockstep::sim
