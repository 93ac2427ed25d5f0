// SPDX-License-Identifier: Apache-2.0
// Rank 0's side of the rendezvous.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "exec/launch/message.h"
#include "exec/launch/rendezvous.h"
#include "exec/launch/rendezvous_messages.h"
#include "exec/transport/acceptor.h"
#include "exec/transport/errors.h"
#include "exec/transport/socket.h"
#include "exec/transport/wire.h"

namespace lockstep::exec {

namespace {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr auto kPatienceWithTalks = std::chrono::milliseconds(500);

/// One conversation per process that comes, all at the same time; meet() waits for the last.
class Host : public std::enable_shared_from_this<Host> {
 public:
  Host(const boost::asio::any_io_executor& executor, RendezvousPlan plan, Clock clock,
       std::string resolved_job)
      : plan_(std::move(plan)),
        clock_(clock),
        guests_(static_cast<std::size_t>(plan_.ranks)),
        changed_(executor) {
    table_.peers.resize(guests_.size());
    table_.intra_host = plan_.intra_host;
    table_.resolved_job = std::move(resolved_job);
  }

  awaitable<Meeting> meet(tcp::acceptor acceptor);

 private:
  /// A process that has joined: its socket is there once it has measured the clock.
  struct Guest {
    bool joined = false;
    std::optional<tcp::socket> socket;
  };

  awaitable<void> wait_for_all();
  awaitable<void> wait_for_talks();
  awaitable<void> converse(tcp::socket socket, Rank rank);
  std::string join(Rank rank, const Join& join, const tcp::socket& socket);
  awaitable<void> answer_pings(tcp::socket& socket);
  awaitable<void> tell_all(MessageKind kind, const std::string& body);
  std::string missing() const;

  RendezvousPlan plan_;
  Clock clock_;
  Table table_;
  std::vector<Guest> guests_;
  int talks_ = 0;  // conversations that go on
  std::string trouble_;
  Rank culprit_ = -1;
  boost::asio::steady_timer changed_;
};

awaitable<void> send(tcp::socket& socket, MessageKind kind, const std::string& body) {
  const std::string bytes = encode(kind, body);
  error_code error;  // a process that has gone is noticed when it is next waited for
  co_await boost::asio::async_write(socket, boost::asio::buffer(bytes),
                                    redirect_error(use_awaitable, error));
}

awaitable<Meeting> Host::meet(tcp::acceptor acceptor) {
  const tcp::endpoint here = acceptor.local_endpoint();
  const boost::asio::any_io_executor executor = acceptor.get_executor();
  tcp::acceptor data_acceptor = make_data_acceptor(executor, here.address(), plan_.loopback_only);
  Peer& self = table_.peers[0];
  self.host = this_host_name();
  self.pid = ::getpid();
  self.place = this_place();
  self.port = data_acceptor.local_endpoint().port();

  const auto strangers = std::make_shared<Acceptor>(
      std::move(acceptor), plan_.secret, 0, plan_.timeout,
      [](const Identity& identity) {
        return identity.purpose == Purpose::Control ? "" : "wants data at the rendezvous";
      },
      [this, executor](tcp::socket socket, const Identity& identity) {
        auto held = std::make_shared<tcp::socket>(std::move(socket));
        boost::asio::co_spawn(
            executor,
            [self = shared_from_this(), held, rank = identity.rank] {
              return self->converse(std::move(*held), rank);
            },
            boost::asio::detached);
      });
  strangers->start();
  co_await wait_for_all();
  strangers->stop();
  if (!trouble_.empty()) {
    co_await wait_for_talks();
    co_await tell_all(MessageKind::Refused, trouble_);
    throw PeerError(0, culprit_, kRendezvousPhase, trouble_);
  }
  co_await tell_all(MessageKind::Table, encode(table_));

  Meeting meeting{.peers = table_.peers,
                  .intra_host = table_.intra_host,
                  .resolved_job = table_.resolved_job,
                  .clock = clock_,
                  .links = {},
                  .data_acceptor = std::move(data_acceptor),
                  .data_endpoints = std::vector<tcp::endpoint>(guests_.size()),
                  .strangers = strangers->strangers()};
  for (std::size_t r = 1; r < guests_.size(); ++r)
    meeting.links.emplace_back(static_cast<Rank>(r), std::move(*guests_[r].socket));
  co_return meeting;
}

awaitable<void> Host::wait_for_all() {
  const auto end = steady_clock::now() + plan_.timeout;
  const auto all_here = [this] {
    return std::all_of(guests_.begin() + 1, guests_.end(),
                       [](const Guest& guest) { return guest.socket.has_value(); });
  };
  while (trouble_.empty() && !all_here()) {
    if (steady_clock::now() >= end) {
      trouble_ = missing() + " did not come to " + plan_.where + " within " +
                 describe_seconds(plan_.timeout);
      break;
    }
    changed_.expires_at(end);
    error_code cancelled;
    co_await changed_.async_wait(redirect_error(use_awaitable, cancelled));
  }
}

/// Lets those who are measuring the clock come to the end, to be told of the trouble; they take
/// milliseconds.
awaitable<void> Host::wait_for_talks() {
  const auto end = steady_clock::now() + kPatienceWithTalks;
  while (talks_ > 0 && steady_clock::now() < end) {
    changed_.expires_at(end);
    error_code cancelled;
    co_await changed_.async_wait(redirect_error(use_awaitable, cancelled));
  }
}

awaitable<void> Host::converse(tcp::socket socket, Rank rank) {
  ++talks_;
  try {
    const Message message = co_await read_message(socket, [] {});
    if (message.kind != MessageKind::Join) throw WireError("something else than its name");
    const std::string wrong = join(rank, decode_join(message.body), socket);
    if (!wrong.empty()) {
      co_await send(socket, MessageKind::Refused, wrong);
      trouble_ = wrong;
      culprit_ = rank;
    } else {
      co_await answer_pings(socket);
      guests_[static_cast<std::size_t>(rank)].socket = std::move(socket);
    }
  } catch (const WireError& error) {
    trouble_ = "rank " + std::to_string(rank) + " sent " + error.what();
    culprit_ = rank;
  } catch (const boost::system::system_error& error) {
    trouble_ =
        "rank " + std::to_string(rank) + " broke off the rendezvous: " + error.code().message();
    culprit_ = rank;
  }
  --talks_;
  changed_.cancel();
}

/// Enters a process in the table; says what is wrong with it, if anything is.
std::string Host::join(Rank rank, const Join& join, const tcp::socket& socket) {
  const std::string who = describe(rank, join.peer);
  if (join.ranks != plan_.ranks)
    return who + " was started as one of " + std::to_string(join.ranks) +
           " ranks, rank 0 as one of " + std::to_string(plan_.ranks);
  if (rank == 0 || rank < 0 || rank >= plan_.ranks)
    return who + " came to rank 0 of " + std::to_string(plan_.ranks) + " ranks";
  Guest& guest = guests_[static_cast<std::size_t>(rank)];
  Peer& peer = table_.peers[static_cast<std::size_t>(rank)];
  if (guest.joined)
    return "two processes say they are rank " + std::to_string(rank) + ": " + describe(rank, peer) +
           " and " + who;
  guest.joined = true;
  peer = join.peer;
  error_code error;
  peer.address = socket.remote_endpoint(error).address().to_string();
  return "";
}

awaitable<void> Host::answer_pings(tcp::socket& socket) {
  for (int i = 0; i < kPings; ++i) {
    const Message ping = co_await read_message(socket, [] {});
    if (ping.kind != MessageKind::Ping) throw WireError("something else than a ping");
    std::string body;
    put(body, clock_.now_ns());
    co_await send(socket, MessageKind::Pong, body);
  }
}

awaitable<void> Host::tell_all(MessageKind kind, const std::string& body) {
  for (Guest& guest : guests_) {
    if (!guest.socket) continue;
    Deadline deadline(*guest.socket, plan_.timeout);
    co_await send(*guest.socket, kind, body);
  }
}

std::string Host::missing() const {
  std::vector<std::size_t> ranks;
  for (std::size_t r = 1; r < guests_.size(); ++r)
    if (!guests_[r].socket) ranks.push_back(r);
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

}  // namespace

awaitable<Meeting> host_rendezvous(tcp::acceptor acceptor, RendezvousPlan plan,
                                   std::string resolved_job, Clock clock) {
  const boost::asio::any_io_executor executor = acceptor.get_executor();
  const auto host =
      std::make_shared<Host>(executor, std::move(plan), clock, std::move(resolved_job));
  co_return co_await host->meet(std::move(acceptor));
}

}  // namespace lockstep::exec
