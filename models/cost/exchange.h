// SPDX-License-Identifier: Apache-2.0
// What messages cost between ranks of one host whose communication threads poll, from measured
// exchanges between two ranks.
#pragma once

#include <cstdint>
#include <span>

#include "models/cost/machine.h"
#include "models/schedule/schedule.h"

namespace lockstep::cost {

/// Where sender and receiver run.
enum class Nearness : std::uint8_t {
  Apart,     // each has a processor of its own
  Together,  // on one processor
  Crowded,   // on two, which other ranks use too
};

/// What one message asks for. The lanes are those of the communication threads, and hold a
/// processor as long.
struct PolledMessage {
  double send_seconds = 0;     // of the sender's lane
  double receive_seconds = 0;  // of the receiver's, combining included
  /// From the end of sending until the receiver notices, if it looks without a break.
  double latency_seconds = 0;
};

/// `working_set`: the memory that the host's ranks have walked through since they last touched what
/// is sent or received. Between measured sizes of messages times are interpolated linearly, and
/// between sizes of memory by the logarithm of the size; beyond the largest message they grow in
/// proportion.
PolledMessage polled_message(const ExchangeCosts& costs, Nearness nearness, double working_set,
                             double bytes, schedule::Operator combine);

/// Adding in memory, as a step of its own. In the caches (the least memory measured) it takes what
/// adding an arriving message takes longer than storing it; in memory (the most measured) it reads
/// two and writes one where storing reads one and writes one. Between, by the logarithm.
double polled_combine_seconds(const ExchangeCosts& costs, double working_set, double bytes);

/// The same for ranks that also compute, whose communication threads sleep when there is nothing to
/// do: what `tcp` says of waking them, and the work as measured. Shared memory has no window: a
/// message is taken from the sender's memory, so that its Recv must be there.
MessageCost message_cost(const ExchangeCosts& costs, double working_set, const MessageCost& tcp,
                         IntraHost how);

/// What it takes to hand the processor from one polling rank to the next: half of what a round of
/// tiny messages between two ranks on one processor takes beyond their work.
double turn_seconds(const ExchangeCosts& costs);

}  // namespace lockstep::cost
