// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/channels.h"

#include <algorithm>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::sim {

Channels::Channels(const Folding& folding)
    : folding_(folding),
      sends_to_(static_cast<std::size_t>(folding.simulated_ranks())),
      receives_from_(sends_to_.size()) {}

std::uint32_t Channels::from_sender(Rank sender, Rank receiver, std::uint8_t stream) {
  return find(sends_to_[static_cast<std::size_t>(folding_.place(sender))], receiver, sender,
              receiver, stream);
}

std::uint32_t Channels::from_receiver(Rank sender, Rank receiver, std::uint8_t stream) {
  if (!folding_.is_trivial()) {
    const auto [like_sender, like_receiver] = folding_.like(sender, receiver);
    return from_sender(like_sender, like_receiver, stream);
  }
  return find(receives_from_[static_cast<std::size_t>(receiver)], sender, sender, receiver, stream);
}

namespace {

std::uint64_t key_of(Rank peer, std::uint8_t stream) {
  return static_cast<std::uint64_t>(peer) << 8 | stream;
}

constexpr auto kBefore = [](const auto& entry, std::uint64_t key) { return entry.key < key; };

}  // namespace

std::uint32_t Channels::find(Directory& own, Rank peer, Rank sender, Rank receiver,
                             std::uint8_t stream) {
  const std::uint64_t key = key_of(peer, stream);
  const auto place = std::lower_bound(own.begin(), own.end(), key, kBefore);
  if (place != own.end() && place->key == key) return place->channel;
  LOCKSTEP_CHECK(peer >= 0 && peer / folding_.copies() < folding_.simulated_ranks(),
                 "a message from " + std::to_string(sender) + " to " + std::to_string(receiver));
  // New to one side means new to both: both learn of it here, the only side there is if folded.
  const auto number = static_cast<std::uint32_t>(channels_.size());
  channels_.push_back({.sender = sender, .receiver = receiver, .stream = stream});
  const auto enter = [&](Directory& directory, Rank other) {
    const std::uint64_t other_key = key_of(other, stream);
    directory.insert(std::lower_bound(directory.begin(), directory.end(), other_key, kBefore),
                     {other_key, number});
  };
  enter(sends_to_[static_cast<std::size_t>(folding_.place(sender))], receiver);
  if (folding_.is_trivial()) enter(receives_from_[static_cast<std::size_t>(receiver)], sender);
  return number;
}

std::uint32_t Channels::oldest_without(std::uint32_t number, bool send) {
  Channel& channel = channels_[number];
  if (channel.first != Channel::kNone) {
    const Message& first = messages_[channel.first];
    if (!(send ? first.send : first.receive)) {
      const std::uint32_t found = channel.first;
      channel.first = first.next;
      return found;
    }
  }
  std::uint32_t created = static_cast<std::uint32_t>(messages_.size());
  if (free_.empty()) {
    messages_.emplace_back();
  } else {
    created = free_.back();
    free_.pop_back();
    messages_[created] = Message{};
  }
  messages_[created].channel = number;
  messages_[created].next = Channel::kNone;
  if (channel.first == Channel::kNone)
    channel.first = created;
  else
    messages_[channel.last].next = created;
  channel.last = created;
  return created;
}

std::uint32_t Channels::add_send(std::uint32_t channel, const schedule::StartedStep& step,
                                 Time now) {
  const std::uint32_t number = oldest_without(channel, true);
  messages_[number].send = step;
  messages_[number].sent = now;
  ++channels_[channel].sends;
  return number;
}

std::uint32_t Channels::add_receive(std::uint32_t channel, const schedule::StartedStep& step,
                                    Time now) {
  const std::uint32_t number = oldest_without(channel, false);
  messages_[number].receive = step;
  messages_[number].posted = now;
  ++channels_[channel].receives;
  return number;
}

void Channels::check_complete() const {
  for (const Channel& channel : channels_)
    LOCKSTEP_CHECK(channel.first == Channel::kNone && channel.sends == channel.receives &&
                       channel.bytes_sent == channel.bytes_received,
                   "from " + std::to_string(channel.sender) + " to " +
                       std::to_string(channel.receiver) + ": " + std::to_string(channel.sends) +
                       " sends of " + std::to_string(channel.bytes_sent) + " bytes, " +
                       std::to_string(channel.receives) + " receives of " +
                       std::to_string(channel.bytes_received));
}

std::string Channels::waiting(const schedule::Schedule& schedule) const {
  std::string text;
  int lines = 0;
  for (const Channel& channel : channels_) {
    if (channel.first == Channel::kNone) continue;
    if (++lines > 8) return text + "\n  …";
    const Message& message = messages_[channel.first];
    if (message.send_complete) {
      text += "\n  sent from " + std::to_string(channel.sender) + " to " +
              std::to_string(channel.receiver) + " (stream " + std::to_string(channel.stream) +
              ") and never received: " + std::to_string(message.bytes) + " bytes";
      continue;
    }
    const schedule::StartedStep& half = message.send ? message.send : message.receive;
    const Rank rank = message.send ? channel.sender : channel.receiver;
    text += "\n  " + schedule::describe(schedule, rank, half.fragment, half.index) + ": " +
            schedule::describe(schedule, *half.step);
  }
  return text;
}

void Channels::append(Channel::List& list, std::uint32_t number) {
  messages_[number].next_in_list = Channel::kNone;
  (list.first == Channel::kNone ? list.first : messages_[list.last].next_in_list) = number;
  list.last = number;
}

std::uint32_t Channels::take_first(Channel::List& list) {
  return std::exchange(list.first, messages_[list.first].next_in_list);
}

}  // namespace lockstep::sim
