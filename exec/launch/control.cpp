// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/control.h"

#include <algorithm>

#include "exec/transport/clock.h"
#include "exec/transport/wire.h"

namespace lockstep::exec {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::int64_t kLongestBeat = 1'000'000'000;
constexpr std::size_t kMaximumTextBytes = 4096;

std::vector<std::string> names_of(const std::vector<Peer>& peers) {
  std::vector<std::string> names;
  for (std::size_t r = 0; r < peers.size(); ++r)
    names.push_back(describe(static_cast<Rank>(r), peers[r]));
  return names;
}

std::string encode(Rank rank, const std::string& text) {
  std::string body;
  put(body, rank);
  put(body, std::string_view(text).substr(0, kMaximumTextBytes));
  return body;
}

}  // namespace

Control::Control(boost::asio::io_context& context, Rank rank, const std::vector<Peer>& peers,
                 std::vector<std::pair<Rank, tcp::socket>> links, std::chrono::nanoseconds timeout,
                 Events events)
    : rank_(rank),
      names_(names_of(peers)),
      beat_ns_(std::min<std::int64_t>(timeout.count() / 5, kLongestBeat)),
      events_(std::move(events)),
      judge_(rank, names_, timeout.count(), steady_ns()),
      timer_(context),
      arrivals_(peers.size()) {
  for (auto& [peer, socket] : links)
    open(peer, std::move(socket));
}

Control::~Control() {
  stop();
}

void Control::open(Rank peer, tcp::socket socket) {
  ControlLink::Events events;
  events.message = [this, peer](const Message& message) { receive(peer, message); };
  events.heard = [this, peer] { judge_.heard(peer, steady_ns()); };
  events.ended = [this, peer](const std::string& cause) {
    --links_left_;
    judge_.ended(peer, cause);
    decide();
    events_.link_ended();
  };
  links_.push_back({peer, std::make_shared<ControlLink>(std::move(socket), std::move(events))});
  ++links_left_;
}

void Control::start() {
  for (const Link& link : links_)
    link.link->start();
  if (links_.empty()) return;
  next_beat_ns_ = steady_ns();
  tick();
}

void Control::stop() {
  stopped_ = true;
  for (const Link& link : links_)
    link.link->close();
  timer_.cancel();
}

/// A timer that comes much too late says that this rank slept, not that the others did.
void Control::tick() {
  const std::int64_t now = steady_ns();
  if (now > next_beat_ns_ + beat_ns_) judge_.slept(now);
  if (now >= next_beat_ns_) {
    send_to_all(MessageKind::Heartbeat, {});
    next_beat_ns_ = now + beat_ns_;
  }
  decide();
  arm();
}

void Control::arm() {
  if (stopped_) return;
  const std::int64_t deadline = decided_ ? INT64_MAX : judge_.next_deadline_ns();
  const std::int64_t next = std::min(next_beat_ns_, deadline);
  timer_.expires_after(std::chrono::nanoseconds(std::max<std::int64_t>(next - steady_ns(), 0)));
  timer_.async_wait([this](const error_code& error) {
    if (!error) tick();
  });
}

void Control::decide() {
  if (decided_ || stopped_) return;
  const std::optional<Verdict>& verdict = judge_.verdict(steady_ns());
  if (!verdict) return;
  decided_ = true;
  if (rank_ == 0) send_to_all(MessageKind::Verdict, encode(verdict->peer, verdict->cause));
  events_.verdict(*verdict);
}

void Control::send_to_all(MessageKind kind, const std::string& body) {
  for (const Link& link : links_)
    link.link->send(kind, body);
}

void Control::receive(Rank from, const Message& message) {
  std::string_view in = message.body;
  const bool from_rank_0 = from == 0;
  switch (message.kind) {
    case MessageKind::Heartbeat:
      return;
    case MessageKind::Suspect: {
      const auto peer = take<Rank>(in);
      const std::string cause = take_text(in, kMaximumTextBytes);
      if (peer < 0 || peer >= static_cast<Rank>(names_.size()))
        throw WireError("a malformed message");
      judge_.suspected(from, peer, cause, steady_ns());
      return arm();
    }
    case MessageKind::Verdict: {
      if (!from_rank_0) break;
      const auto peer = take<Rank>(in);
      const Verdict verdict{peer, take_text(in, kMaximumTextBytes)};
      if (std::exchange(decided_, true)) return;
      return events_.verdict(verdict);
    }
    case MessageKind::Failed:
      take<Rank>(in);
      judge_.failed(from, take_text(in, kMaximumTextBytes));
      return decide();
    case MessageKind::Hash: {
      const auto iteration = take<std::int32_t>(in);
      judge_.hashed(from, iteration, take<std::uint64_t>(in));
      return decide();
    }
    case MessageKind::Report:
      return events_.report(from, decode_report(in));
    case MessageKind::Blob:
      return events_.blob(from, message.body);
    case MessageKind::Leave:
      judge_.left(from);
      return arrived(from);
    case MessageKind::Arrive:
      return arrived(from);
    case MessageKind::Release:
      if (!from_rank_0) break;
      return released();
    case MessageKind::Join:
    case MessageKind::Refused:
    case MessageKind::Ping:
    case MessageKind::Pong:
    case MessageKind::Table:
      break;
  }
  throw WireError("a message out of place");
}

void Control::suspect(Rank peer, const std::string& cause) {
  if (decided_) return;
  judge_.suspected(rank_, peer, cause, steady_ns());
  if (rank_ != 0) send_to_all(MessageKind::Suspect, encode(peer, cause));
  arm();
}

void Control::give_up(const std::string& reason) {
  if (std::exchange(decided_, true)) return;
  if (rank_ == 0)
    send_to_all(MessageKind::Verdict, encode(0, names_[0] + " failed: " + reason));
  else
    send_to_all(MessageKind::Failed, encode(rank_, reason));
}

void Control::give_hash(std::int32_t iteration, std::uint64_t hash) {
  if (rank_ == 0) {
    judge_.hashed(0, iteration, hash);
    return decide();
  }
  std::string body;
  put(body, iteration);
  put(body, hash);
  send_to_all(MessageKind::Hash, body);
}

void Control::give_report(const IterationReport& report) {
  if (rank_ == 0) return events_.report(0, report);
  send_to_all(MessageKind::Report, exec::encode(report));
}

void Control::give_blob(std::string blob) {
  if (rank_ == 0) return events_.blob(0, std::move(blob));
  send_to_all(MessageKind::Blob, blob);
}

void Control::arrive(bool for_good) {
  leaving_ = for_good;
  if (rank_ == 0) return arrived(0);
  send_to_all(for_good ? MessageKind::Leave : MessageKind::Arrive, {});
}

void Control::arrived(Rank from) {
  ++arrivals_[static_cast<std::size_t>(from)];
  if (*std::min_element(arrivals_.begin(), arrivals_.end()) <= releases_) return;
  send_to_all(MessageKind::Release, {});
  released();
}

void Control::released() {
  ++releases_;
  if (leaving_ && rank_ != 0) judge_.left(0);
  events_.released();
}

void Control::end_sending() {
  for (const Link& link : links_)
    link.link->end_sending();
}

}  // namespace lockstep::exec
