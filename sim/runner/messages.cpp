// SPDX-License-Identifier: Apache-2.0
// The life of a message in a Run: its Send starts and pays a fixed overhead; its bytes flow, at
// once if they fit the window, or when the Recv is posted; they arrive one latency later; the
// receiver takes them in. The Send is complete when the bytes have flowed, or once copied if they
// fit the window.
#include <algorithm>
#include <utility>

#include "models/base/errors.h"
#include "sim/runner/run.h"

namespace lockstep::sim {

using schedule::StartedStep;

namespace {

bool precedes(const StartedStep& a, const StartedStep& b) {
  return a.fragment != b.fragment ? a.fragment < b.fragment : a.index < b.index;
}

}  // namespace

bool Run::start_send(RankState& state, const StartedStep& step) {
  const Rank sender = state.progress.rank();
  const Rank receiver = step.step->target;
  const std::uint32_t number = channels_.add_send(
      connected(channels_.from_sender(sender, receiver, step.step->stream)), step, now());
  Message& message = channels_.message(number);
  Channel& channel = channels_.channel(message.channel);
  set_bytes(message, step, step.step->from);
  channel.bytes_sent += message.bytes;
  if (record_.is_measured(sender)) channel.measured_bytes += message.bytes;
  record_.sent(sender, message.bytes);
  ++messages_;
  if (is_flow() && cluster_.is_polled(message.channel)) {
    send_polled(number);
    return false;
  }
  const Terms& price = terms(message);
  Time overhead = price.send_overhead;
  if (is_flow() && price.copied_before)
    overhead += delay(static_cast<double>(message.bytes) * price.send_seconds_per_byte);
  if (overhead == Time{}) return send_paid(number);
  push(occupy(state, overhead), kSendPaid, number);
  return false;
}

/// The sender has done its fixed part; returns whether the Send is complete.
bool Run::send_paid(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.overhead_paid = true;
  const Terms& price = terms(message);
  const bool eager = price.is_eager(message.bytes);
  const bool is_copied = is_flow() && price.copied_before;
  const Time copy =
      is_copied ? Time{} : delay(static_cast<double>(message.bytes) * price.send_seconds_per_byte);
  queue_up(number);
  if (!eager) return false;
  if (copy == Time{}) {
    complete_send(number);
    return true;
  }
  push(now() + copy, kSent, number);
  return false;
}

bool Run::start_receive(RankState& state, const StartedStep& step) {
  const Rank sender = step.step->target;
  const std::uint32_t number = channels_.add_receive(
      connected(channels_.from_receiver(sender, state.progress.rank(), step.step->stream)), step,
      now());
  Message& message = channels_.message(number);
  set_bytes(message, step, step.step->into);
  message.combine = step.step->combine;
  if (!message.send) return false;
  if (is_flow() && cluster_.is_polled(message.channel)) {
    if (message.arrived)
      take_polled(number);
    else if (!message.flowing)
      send_polled(number);
    return false;
  }
  if (message.arrived) return take_in(number);
  if (message.flowing) {
    if (!is_flow()) announce_arrival(message, number);
  } else if (message.overhead_paid) {
    let_leave(message.channel);
  }
  return false;
}

/// A connection carries one message after the other.
void Run::queue_up(std::uint32_t number) {
  Message& message = channels_.message(number);
  Channel& channel = channels_.channel(message.channel);
  channels_.append(channel.to_leave, number);
  let_leave(message.channel);
}

/// On an ideal network, where nothing is contended, they do not wait for the end of one another.
void Run::let_leave(std::uint32_t channel_number) {
  Channel& channel = channels_.channel(channel_number);
  while (!channel.busy && channel.to_leave.first != Channel::kNone) {
    const std::uint32_t number = channel.to_leave.first;
    const Message& message = channels_.message(number);
    if (!message.receive && !terms(message).is_eager(message.bytes)) return;
    channels_.take_first(channel.to_leave);
    channel.busy = is_flow() && message.bytes > 0 && !is_packet(message.channel);
    begin_flow(number);
  }
}

/// The bytes leave now. What an eager message costs on an ideal network is known when its Recv is.
void Run::begin_flow(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.flowing = true;
  message.began = now();
  if (is_flow()) {
    if (message.bytes > 0 || is_packet(message.channel))
      entering_.push_back(number);
    else
      push(now() + terms(message).latency, kArrived, number);
    return;
  }
  if (message.receive) announce_arrival(message, number);
}

/// Ideal: a message whose Recv is known arrives on its own account.
void Run::announce_arrival(const Message& message, std::uint32_t number) {
  const Terms& price = terms(message);
  const Time arrival = message.began + price.latency + price.transfer(message.bytes);
  push(std::max(now(), arrival), kArrived, number);
}

/// By now it is known of all messages that begin to flow at this time whether their Recv is posted,
/// in whatever order things happened.
void Run::enter_flows() {
  for (const std::uint32_t number : entering_) {
    Message& message = channels_.message(number);
    message.posted_first = static_cast<bool>(message.receive);
    if (is_packet(message.channel)) {
      send_packets(number);
      continue;
    }
    const Terms& price = terms(message);
    const auto& profile = message.posted_first ? price.profile : price.unposted_profile;
    const auto bytes = static_cast<double>(message.bytes);
    double burst = 0;
    if (price.bursts)
      burst = network_.bursts.enter(cluster_.route(message.channel), bytes,
                                    fluid_.fastest(profile[1]), now());
    if (burst >= 1) {
      message.later_bytes = bytes - burst;
      start_activity(profile[1], burst, kFlowed, number);
    } else {
      start_activity(profile[0], bytes, kFlowed, number);
    }
  }
  entering_.clear();
}

/// Behind those of its channel that are under way already.
void Run::send_packets(std::uint32_t number) {
  Message& message = channels_.message(number);
  Channel& channel = channels_.channel(message.channel);
  if (channel.connection == Channel::kNone) {
    std::vector<LinkId> there = cluster_.links(message.channel, false);
    channel.connection =
        network_.tcp->connect(std::move(there), cluster_.links(message.channel, true));
    network_.ends.push_back({static_cast<std::uint8_t>(first_kind_ / kKinds), message.channel});
  }
  channels_.append(channel.under_way, number);
  network_.tcp->send(channel.connection, message.bytes);
}

void Run::delivered(std::uint32_t channel, std::uint32_t messages) {
  for (; messages > 0; --messages)
    flowed(channels_.take_first(channels_.channel(channel).under_way));
}

void Run::flowed(std::uint32_t number) {
  Message& message = channels_.message(number);
  const Terms& price = terms(message);
  if (message.later_bytes > 0) {
    start_activity((message.posted_first ? price.profile : price.unposted_profile)[0],
                   std::exchange(message.later_bytes, 0.0), kFlowed, number);
    return;
  }
  push(now() + price.latency, kArrived, number);
  const bool eager = price.is_eager(message.bytes);
  channels_.channel(message.channel).busy = false;
  let_leave(message.channel);
  if (eager) return;
  const Rank sender = channel_of(number).sender;
  complete_send(number);
  give_turn(sender);
}

/// On an ideal network a large message's Send takes as long as the message, as in the closed forms.
void Run::arrived(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.arrived = true;
  const Channel& channel = channels_.channel(message.channel);
  if (!is_flow() && !terms(message).is_eager(message.bytes)) {
    complete_send(number);
    give_turn(channel.sender);
  }
  if (!message.receive) return;
  std::uint32_t* next = &rank(channel.receiver).first_arrived;
  while (*next != Channel::kNone && precedes(channels_.message(*next).receive, message.receive))
    next = &channels_.message(*next).next_arrived;
  message.next_arrived = std::exchange(*next, number);
  give_turn(channel.receiver);
}

/// The message is there and its Recv is posted. If it began to flow before that, the receiver has
/// worked on it since then only, and may not be done. Returns whether the Recv is complete.
bool Run::take_in(std::uint32_t number) {
  const Message& message = channels_.message(number);
  const Terms& price = terms(message);
  Time duration = price.receive_overhead;
  if (is_flow() && (price.copied_after || !message.posted_first)) {
    const Time work = delay(static_cast<double>(message.bytes) * price.receive_seconds_per_byte);
    duration += price.copied_after ? work : std::max(Time{}, message.posted + work - now());
  }
  const Time end = occupy(rank(channel_of(number).receiver), duration);
  if (end > now()) {
    push(end, kReceived, number);
    return false;
  }
  complete_receive(number);
  return true;
}

void Run::complete_send(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.send_complete = true;
  complete(channel_of(number).sender, message.send, message.sent, message.sent);
  if (message.receive_complete) channels_.release(number);
}

void Run::complete_receive(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.receive_complete = true;
  channel_of(number).bytes_received += message.bytes;
  complete(channel_of(number).receiver, message.receive, message.posted, message.sent);
  if (message.send_complete) channels_.release(number);
}

/// A new channel is a new connection: their numbers are the same.
std::uint32_t Run::connected(std::uint32_t channel) {
  if (channel == cluster_.connections()) {
    const Channel& fresh = channels_.channel(channel);
    cluster_.connect(fresh.sender, fresh.receiver, fresh.stream);
  }
  return channel;
}

/// The first half of a message says how large it is, the second one must agree.
void Run::set_bytes(Message& message, const StartedStep& step, const schedule::Slice& slice) const {
  const std::uint64_t bytes = schedule_.bytes(slice);
  LOCKSTEP_CHECK(!message.is_matched() || message.bytes == bytes,
                 schedule::describe(schedule_, *step.step) + " meets a message of " +
                     std::to_string(message.bytes) + " bytes");
  message.bytes = bytes;
}

}  // namespace lockstep::sim
