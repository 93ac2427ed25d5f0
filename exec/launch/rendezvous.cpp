// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/rendezvous.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "exec/launch/message.h"
#include "exec/launch/rendezvous_messages.h"
#include "exec/transport/errors.h"
#include "exec/transport/handshake.h"
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

constexpr auto kPauseBetweenTries = std::chrono::milliseconds(50);
constexpr auto kLongestTry = std::chrono::seconds(1);

/// Addresses are tried in turn, again and again: rank 0 may not listen yet.
awaitable<tcp::socket> reach_rank_0(boost::asio::io_context& context,
                                    std::vector<tcp::endpoint> endpoints, RendezvousPlan plan) {
  const auto end = steady_clock::now() + plan.timeout;
  std::string last = "no answer";
  while (true) {
    for (const tcp::endpoint& endpoint : endpoints) {
      tcp::socket socket(context);
      error_code error;
      {
        Deadline deadline(
            socket, std::min<std::chrono::nanoseconds>(kLongestTry, end - steady_clock::now()));
        co_await socket.async_connect(endpoint, redirect_error(use_awaitable, error));
        if (error && !deadline.passed()) last = error.message();
      }
      if (error) continue;
      socket.set_option(tcp::no_delay(true), error);
      co_return socket;
    }
    if (steady_clock::now() + kPauseBetweenTries >= end) break;
    boost::asio::steady_timer pause(context, kPauseBetweenTries);
    co_await pause.async_wait(use_awaitable);
  }
  throw PeerError(plan.rank, 0, kRendezvousPhase,
                  "cannot reach rank 0 at " + plan.where + " within " +
                      describe_seconds(plan.timeout) + ": " + last);
}

/// Reads the next message; rank 0's refusal becomes the error it stands for.
awaitable<std::string> expect(tcp::socket& socket, MessageKind kind, Rank self) {
  const Message message = co_await read_message(socket, [] {});
  if (message.kind == MessageKind::Refused)
    throw PeerError(self, 0, kRendezvousPhase, message.body);
  if (message.kind != kind) throw WireError("something else than is due");
  co_return message.body;
}

/// Rank 0's clock by the quickest of several pings: its answer was given somewhere between question
/// and answer, half way at best guess, wrong by half the time between at most.
awaitable<Clock> measure_clock(tcp::socket& socket, Rank self) {
  Clock clock;
  std::int64_t quickest = INT64_MAX;
  const std::string ping = encode(MessageKind::Ping, {});
  for (int i = 0; i < kPings; ++i) {
    const std::int64_t asked = steady_ns();
    co_await boost::asio::async_write(socket, boost::asio::buffer(ping), use_awaitable);
    const std::string body = co_await expect(socket, MessageKind::Pong, self);
    const std::int64_t answered = steady_ns();
    std::string_view in = body;
    const auto rank_0_ns = take<std::int64_t>(in);
    if (answered - asked >= quickest) continue;
    quickest = answered - asked;
    clock.zero_ns = asked + quickest / 2 - rank_0_ns;
  }
  co_return clock;
}

/// Rank 0 sees a rank of its own host at a loopback address, which means nothing on other hosts:
/// there, such a rank is where rank 0 is.
std::vector<tcp::endpoint> data_endpoints(const std::vector<Peer>& peers,
                                          const boost::asio::ip::address& rank_0) {
  std::vector<tcp::endpoint> endpoints;
  for (const Peer& peer : peers) {
    boost::asio::ip::address address = rank_0;
    if (!peer.address.empty()) {
      error_code error;
      address = boost::asio::ip::make_address(peer.address, error);
      if (error) throw WireError("a malformed address");
      if (address.is_loopback()) address = rank_0;
    }
    endpoints.emplace_back(address, peer.port);
  }
  return endpoints;
}

awaitable<Meeting> meet(tcp::socket& socket, const RendezvousPlan& plan) {
  tcp::acceptor data_acceptor = make_data_acceptor(
      socket.get_executor(), socket.local_endpoint().address(), plan.loopback_only);
  co_await introduce(socket, plan.secret, {Purpose::Control, plan.rank, 0}, 0);
  Join join;
  join.ranks = plan.ranks;
  join.peer.host = this_host_name();
  join.peer.pid = ::getpid();
  join.peer.place = this_place();
  join.peer.port = data_acceptor.local_endpoint().port();
  const std::string bytes = encode(MessageKind::Join, encode(join));
  co_await boost::asio::async_write(socket, boost::asio::buffer(bytes), use_awaitable);
  const Clock clock = co_await measure_clock(socket, plan.rank);
  const std::string body = co_await expect(socket, MessageKind::Table, plan.rank);
  Table table = decode_table(body, plan.ranks);
  std::vector<tcp::endpoint> endpoints =
      data_endpoints(table.peers, socket.remote_endpoint().address());
  co_return Meeting{.peers = std::move(table.peers),
                    .intra_host = table.intra_host,
                    .resolved_job = std::move(table.resolved_job),
                    .clock = clock,
                    .links = {},
                    .data_acceptor = std::move(data_acceptor),
                    .data_endpoints = std::move(endpoints)};
}

}  // namespace

std::string this_host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::string this_place() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  struct stat network {};
  if (boot.empty() || ::stat("/proc/self/ns/net", &network) != 0)
    return this_host_name() + " " + std::to_string(::getpid());
  return boot + " " + std::to_string(network.st_ino);
}

tcp::acceptor make_data_acceptor(const boost::asio::any_io_executor& executor,
                                 const boost::asio::ip::address& like, bool loopback_only) {
  using boost::asio::ip::address_v4;
  using boost::asio::ip::address_v6;
  boost::asio::ip::address address;
  if (like.is_v4())
    address = loopback_only ? address_v4::loopback() : address_v4::any();
  else
    address = loopback_only ? address_v6::loopback() : address_v6::any();
  return tcp::acceptor(executor, tcp::endpoint(address, 0));
}

awaitable<Meeting> join_rendezvous(boost::asio::io_context& context,
                                   std::vector<tcp::endpoint> endpoints, RendezvousPlan plan) {
  tcp::socket socket = co_await reach_rank_0(context, std::move(endpoints), plan);
  // Rank 0 itself waits as long as that for the others, and then says who is missing.
  const auto patience = plan.timeout + std::chrono::seconds(1);
  Deadline deadline(socket, patience);
  std::string cause;
  try {
    Meeting meeting = co_await meet(socket, plan);
    meeting.links.emplace_back(0, std::move(socket));
    co_return meeting;
  } catch (const HandshakeError& error) {
    cause = error.what();
  } catch (const WireError& error) {
    cause = std::string("sent ") + error.what();
  } catch (const boost::system::system_error& error) {
    cause = deadline.passed() ? "didn't finish the rendezvous within " + describe_seconds(patience)
                              : "broke off the rendezvous: " + error.code().message();
  }
  throw PeerError(plan.rank, 0, kRendezvousPhase, "rank 0 at " + plan.where + " " + cause);
}

}  // namespace lockstep::exec
