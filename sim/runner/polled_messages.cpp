// SPDX-License-Identifier: Apache-2.0
// The life of a message between ranks of one host that do nothing but communicate. Their threads
// poll, each on its processor, which several may share; what a thread has to do for a message holds
// the processor, one thing after the other. Over sockets the sender copies the message away and is
// done; the receiver notices the first of it, and copies or adds it while the sender still goes on,
// if it has a processor of its own. Through shared memory the sender only says where the message
// is; the receiver takes it from there.
#include <algorithm>

#include "sim/runner/run.h"

namespace lockstep::sim {

namespace {

/// A receiver notices a message when so much of it is there, and is done so much behind the sender.
constexpr std::uint64_t kFirstBytes = 64 << 10;

double first_share(std::uint64_t bytes) {
  return bytes <= kFirstBytes ? 1.0 : static_cast<double>(kFirstBytes) / static_cast<double>(bytes);
}

}  // namespace

/// A message that is larger than what the kernel holds waits for its Recv.
void Run::send_polled(std::uint32_t number) {
  Message& message = channels_.message(number);
  const Channel& channel = channels_.channel(message.channel);
  const bool takes_directly = cost_.takes_directly();
  if (!takes_directly && !message.receive && !terms(message).is_eager(message.bytes)) return;
  message.flowing = true;
  const cost::Nearness nearness = cluster_.nearness(channel.sender, channel.receiver);
  if (!takes_directly) message.since = footprints_.touch(channel.sender, message.send.step->from);
  const cost::PolledMessage price = cost_.polled_message(
      channel.receiver, nearness, message.combine, message.bytes, message.since);
  const Time work = delay(price.send_seconds);
  const Time end = occupy_processor(channel.sender, work);
  message.sending_ends = end;
  const Time first = delay(price.send_seconds * (1 - first_share(message.bytes)));
  const bool at_once = takes_directly || nearness == cost::Nearness::Together;
  const Time there = at_once ? end : end - first;
  push(there + notice_after(channel.receiver, price.latency_seconds), kNoticed, number);
  if (!takes_directly) push(end, kSent, number);
}

void Run::noticed(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.arrived = true;
  if (message.receive) take_polled(number);
}

void Run::take_polled(std::uint32_t number) {
  Message& message = channels_.message(number);
  const Channel& channel = channels_.channel(message.channel);
  const cost::Nearness nearness = cluster_.nearness(channel.sender, channel.receiver);
  double since = footprints_.touch(channel.receiver, message.receive.step->into);
  if (cost_.takes_directly())
    since = (since + footprints_.touch(channel.sender, message.send.step->from)) / 2;
  const cost::PolledMessage price =
      cost_.polled_message(channel.receiver, nearness, message.combine, message.bytes, since);
  Time end = occupy_processor(channel.receiver, delay(price.receive_seconds));
  if (!cost_.takes_directly())
    end = std::max(
        end, message.sending_ends + delay(price.receive_seconds * first_share(message.bytes)));
  push(end, kReceived, number);
  if (cost_.takes_directly())
    push(end + notice_after(channel.sender, price.latency_seconds), kSent, number);
}

/// Gives the rank's processor away for `duration`, after what it has been given away for already;
/// returns the end.
Time Run::occupy_processor(Rank number, Time duration) {
  Time& free_at = processor_free_at_[cluster_.processor(number)];
  free_at = std::max(now(), free_at) + duration;
  if (record_.is_measured(number)) processor_work_[cluster_.processor(number)] += duration;
  return free_at;
}

/// A thread that polls alone sees a message at once; among several that take turns, it sees it when
/// half of the others, on average, have had theirs.
Time Run::notice_after(Rank number, double latency_seconds) const {
  const std::uint32_t ranks = cluster_.ranks_on(cluster_.processor(number));
  const double turns = ranks > 1 ? 0.5 * ranks * cost_.turn_seconds(number) : 0;
  return delay(latency_seconds + turns);
}

}  // namespace lockstep::sim
