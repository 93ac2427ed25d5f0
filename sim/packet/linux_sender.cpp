// SPDX-License-Identifier: Apache-2.0
#include "sim/packet/linux_sender.h"

#include <algorithm>
#include <cmath>

namespace lockstep::sim {

namespace {

constexpr double kLeastTimeout = 0.2;  // seconds; RFC 6298 has 1 s
constexpr double kLongestTimeout = 60;
/// The receiver's window, 4 MiB.
constexpr double kMostPackets = 2896;
/// Of a connection, that wait at its own host's link: Linux holds back what is beyond two packets
/// of up to 64 KiB, or a millisecond of its pace (TCP small queues).
constexpr std::uint64_t kHostQueueBytes = 64 << 10;
/// What a probe waits beyond two round trips: for the answer to a single packet its receiver may
/// take its time (RFC 8985, 7.2).
constexpr double kProbeSlack = 8e-3;

}  // namespace

LinuxSender::LinuxSender(double round_trip) {
  measure(round_trip);
}

void LinuxSender::wake(Time now) {
  if (packets_.empty()) congestion_.idled((now - last_sent_).seconds(), timeout_);
}

std::optional<PacketNumber> LinuxSender::next(std::uint64_t waiting_bytes) {
  if (waiting_bytes >= kHostQueueBytes) return std::nullopt;
  const auto window = static_cast<std::uint64_t>(std::min(congestion_.window(), kMostPackets));
  most_under_way_ = std::max(most_under_way_, under_way_);
  if (under_way_ >= window) return std::nullopt;
  if (lost_ > 0) {
    first_lost_ = std::max(first_lost_, first_);
    while (packet(first_lost_).state != State::Lost)
      ++first_lost_;
    return first_lost_;
  }
  if (fresh_ < end()) return fresh_;
  return std::nullopt;
}

std::uint64_t LinuxSender::sent(PacketNumber number, Time now) {
  Packet& leaving = packet(number);
  leaving.is_repeated = number < fresh_;
  if (leaving.state == State::Lost) --lost_;
  ++under_way_;
  leaving.state = State::UnderWay;
  leaving.transmission = ++transmissions_;
  fresh_ = std::max(fresh_, number + 1);
  last_sent_ = now;
  if (deadline_ == Time::max()) set_deadline(now);
  return leaving.transmission;
}

void LinuxSender::arrive(Packet& arriving) {
  if (arriving.state == State::UnderWay) --under_way_;
  if (arriving.state == State::Lost) --lost_;
  arriving.state = State::Arrived;
}

void LinuxSender::lose(Packet& losing) {
  if (losing.state != State::UnderWay) return;
  --under_way_;
  ++lost_;
  losing.state = State::Lost;
}

/// Of packets that were sent twice nobody knows which one is acknowledged first: they say nothing
/// about the round trip (Karn).
void LinuxSender::acknowledged(const Acknowledgement& news, Time now) {
  const PacketNumber before = first_;
  const bool is_news = news.number >= first_ && packet(news.number).state == State::UnderWay;
  const double round_trip =
      is_news && !packet(news.number).is_repeated ? (now - news.sent).seconds() : 0;
  if (round_trip > 0) measure(round_trip);
  last_arrived_ = std::max(last_arrived_, news.transmission);
  if (news.number >= first_) arrive(packet(news.number));
  for (; first_ < news.all_before; ++first_) {
    arrive(packets_.front());
    packets_.pop_front();
  }
  if (news.number >= first_) has_hole_ = true;
  if (has_hole_) find_lost();
  if (first_ >= recovered_) recovery_ = Recovery::None;
  if (lost_ > 0 && recovery_ == Recovery::None) {
    recovery_ = Recovery::Fast;
    recovered_ = fresh_;
    congestion_.lost();
  } else if (first_ > before && recovery_ != Recovery::Fast) {
    congestion_.acknowledged(static_cast<double>(first_ - before), round_trip, now.seconds(),
                             static_cast<double>(most_under_way_));
  }
  if (first_ > round_ends_) {
    round_ends_ = fresh_;
    most_under_way_ = under_way_;
    congestion_.begin_round();
  }
  if (first_ == before && !is_news) return;
  deadline_ = Time::max();
  if (under_way_ > 0 || lost_ > 0) set_deadline(now);
}

/// What has been overtaken.
void LinuxSender::find_lost() {
  has_hole_ = false;
  for (PacketNumber number = first_; number < fresh_; ++number) {
    Packet& looked_at = packet(number);
    if (looked_at.state != State::UnderWay) continue;
    has_hole_ = true;
    if (looked_at.transmission >= last_arrived_) {
      if (!looked_at.is_repeated) break;  // those behind it were sent later
      continue;
    }
    lose(looked_at);
    first_lost_ = std::min(std::max(first_lost_, first_), number);
  }
}

void LinuxSender::measure(double round_trip) {
  if (timeout_ == 0) {
    smooth_round_trip_ = round_trip;
    variance_ = round_trip / 2;
  } else {
    const double error = std::abs(smooth_round_trip_ - round_trip);
    variance_ += (error - variance_) / 4;
    smooth_round_trip_ += (round_trip - smooth_round_trip_) / 8;
  }
  timeout_ = std::max(kLeastTimeout, smooth_round_trip_ + 4 * variance_);
}

void LinuxSender::set_deadline(Time now) {
  const double probe = 2 * smooth_round_trip_ + (under_way_ == 1 ? kLeastTimeout : kProbeSlack);
  probes_ = recovery_ == Recovery::None && probe < timeout_;
  deadline_ = now + Time::from_seconds(probes_ ? probe : timeout_);
}

/// A probe is the last packet once more: its acknowledgement shows what is missing.
void LinuxSender::expired(Time now) {
  if (probes_) {
    lose(packet(fresh_ - 1));
    probes_ = false;
    first_lost_ = std::min(std::max(first_lost_, first_), fresh_ - 1);
    deadline_ = now + Time::from_seconds(timeout_);
    return;
  }
  congestion_.timed_out();
  for (Packet& each : packets_)
    lose(each);
  first_lost_ = first_;
  recovery_ = Recovery::AfterTimeout;
  recovered_ = fresh_;
  timeout_ = std::min(2 * timeout_, kLongestTimeout);
  deadline_ = now + Time::from_seconds(timeout_);
}

}  // namespace lockstep::sim
