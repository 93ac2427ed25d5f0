// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/mesh.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "exec/transport/clock.h"
#include "exec/transport/connection.h"
#include "exec/transport/local_path.h"
#include "exec/transport/socket.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;

Mesh::Mesh(boost::asio::io_context& context, Rank rank, std::int32_t ranks, Secret secret,
           std::chrono::nanoseconds timeout, Failed failed)
    : context_(context),
      rank_(rank),
      ranks_(ranks),
      secret_(std::move(secret)),
      timeout_(timeout),
      failed_(std::move(failed)),
      arrival_(context, boost::asio::steady_timer::time_point::max()) {}

Mesh::~Mesh() {
  stop();
}

void Mesh::listen(tcp::acceptor acceptor) {
  choose_congestion_control(acceptor.native_handle());
  acceptor_ = std::make_shared<Acceptor>(
      std::move(acceptor), secret_, rank_, timeout_,
      [this](const Identity& identity) { return refusal_of(identity); },
      [this](tcp::socket socket, const Identity& identity) {
        const Channel channel{identity.rank, static_cast<std::uint8_t>(identity.stream)};
        co_spawn(context_, take_in(channel, std::move(socket), true), boost::asio::detached);
      });
  acceptor_->start();
}

void Mesh::buffers_are_there() {
  has_buffers_ = true;
  arrival_.cancel();
}

std::string Mesh::refusal_of(const Identity& identity) const {
  if (identity.purpose != Purpose::Data) return "wants a control connection on a data port";
  if (identity.rank <= rank_ || identity.rank >= ranks_ || identity.stream > UINT8_MAX)
    return "claims to be rank " + std::to_string(identity.rank) + ", stream " +
           std::to_string(identity.stream);
  const Channel channel{identity.rank, static_cast<std::uint8_t>(identity.stream)};
  if (find(channel) != nullptr)
    return "claims to be rank " + std::to_string(identity.rank) + ", which is connected already";
  return "";
}

awaitable<void> Mesh::connect(std::vector<Channel> channels, std::vector<tcp::endpoint> endpoints) {
  for (const Channel& channel : channels)
    if (channel.peer < rank_ && find(channel) == nullptr && !stopped_)
      co_await reach(channel, endpoints[static_cast<std::size_t>(channel.peer)]);
  const auto missing = [&] {
    return std::any_of(channels.begin(), channels.end(),
                       [&](const Channel& channel) { return find(channel) == nullptr; });
  };
  while (!stopped_ && missing()) {
    error_code cancelled;
    co_await arrival_.async_wait(redirect_error(use_awaitable, cancelled));
  }
}

awaitable<void> Mesh::reach(Channel channel, tcp::endpoint endpoint) {
  const std::string where = describe(endpoint);
  tcp::socket socket(context_);
  Deadline deadline(socket, timeout_);
  std::string cause;
  try {
    socket.open(endpoint.protocol());
    choose_congestion_control(socket.native_handle());
    co_await socket.async_connect(endpoint, use_awaitable);
    socket.set_option(tcp::no_delay(true));
    const Identity self{Purpose::Data, rank_, channel.stream};
    co_await introduce(socket, secret_, self, channel.peer);
  } catch (const HandshakeError& error) {
    cause = where + " " + error.what();
  } catch (const boost::system::system_error& error) {
    cause = "cannot be reached at " + where + ": " +
            (deadline.passed() ? "no answer within " + describe_seconds(timeout_)
                               : error.code().message());
  }
  if (!cause.empty()) {
    fail(channel.peer, cause);
  } else if (!stopped_) {
    co_await take_in(channel, std::move(socket), false);
  }
}

awaitable<void> Mesh::take_in(Channel channel, tcp::socket socket, bool accepted) {
  std::shared_ptr<DataLink> link;
  int handle = -1;
  std::string cause;
  try {
    link = co_await make_link(channel, std::move(socket), accepted, handle);
  } catch (const std::exception& error) {
    cause = std::string("cannot be reached within this host: ") + error.what();
  }
  if (stopped_) co_return;
  if (!cause.empty()) {
    fail(channel.peer, cause);
    co_return;
  }
  ready_.add(handle, static_cast<std::uint32_t>(numbered_.size()));
  numbered_.push_back(link.get());
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), channel,
      [](const Entry& entry, const Channel& wanted) { return entry.channel < wanted; });
  entries_.insert(at, {channel, std::move(link)});
  arrival_.cancel();
}

awaitable<std::shared_ptr<DataLink>> Mesh::make_link(Channel channel, tcp::socket socket,
                                                     bool accepted, int& handle) {
  const auto failed = [this, peer = channel.peer](const std::string& cause) { fail(peer, cause); };
  const auto peer = static_cast<std::size_t>(channel.peer);
  const bool is_here = peer < neighbourhood_.is_here.size() && neighbourhood_.is_here[peer];
  if (!is_here || neighbourhood_.how == IntraHost::Tcp) {
    handle = socket.native_handle();
    co_return std::make_shared<Connection>(StreamSocket(std::move(socket)), failed);
  }
  while (neighbourhood_.how == IntraHost::SharedMemory && !has_buffers_ && !stopped_) {
    error_code cancelled;
    co_await arrival_.async_wait(redirect_error(use_awaitable, cancelled));
  }
  StreamSocket local(context_);
  if (accepted)  // no conditional expression: g++ 12 gets those wrong around co_await
    local = co_await accept_local(socket, timeout_);
  else
    local = co_await connect_local(socket, timeout_);
  handle = local.native_handle();
  if (neighbourhood_.how == IntraHost::Unix)
    co_return std::make_shared<Connection>(std::move(local), failed);
  const SharedMemory& buffers = *neighbourhood_.buffers;
  SharedMemoryLink::Parts parts =
      co_await share_memory(std::move(local), accepted, buffers, timeout_);
  co_return std::make_shared<SharedMemoryLink>(std::move(parts), buffers.bytes(), failed);
}

DataLink* Mesh::find(Channel channel) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), channel,
      [](const Entry& entry, const Channel& wanted) { return entry.channel < wanted; });
  return at != entries_.end() && at->channel == channel ? at->link.get() : nullptr;
}

DataLink& Mesh::at(Channel channel) const {
  DataLink* link = find(channel);
  LOCKSTEP_CHECK(link != nullptr, "rank " + std::to_string(rank_) + " has no connection to rank " +
                                      std::to_string(channel.peer) + ", stream " +
                                      std::to_string(channel.stream));
  return *link;
}

void Mesh::send(Channel channel, std::span<const std::byte> payload, Tag tag,
                std::int64_t started_ns, DataLink::Sent sent) {
  if (!stopped_) at(channel).send({tag, payload.size(), started_ns}, payload, std::move(sent));
}

void Mesh::receive(Channel channel, const Arrival& arrival, DataLink::Received received) {
  if (!stopped_) at(channel).receive(arrival, std::move(received));
}

bool Mesh::poll() {
  polled_ = true;
  for (const ReadySet::Event& event : ready_.collect())
    numbered_[event.number]->ready(event.readable, event.writable);
  bool moved = false;
  for (std::size_t i = 0; i < entries_.size() && !stopped_; ++i)
    moved |= entries_[i].link->poll();
  return moved;
}

void Mesh::rest() {
  if (!std::exchange(polled_, false)) return;
  for (const Entry& entry : entries_)
    entry.link->rest();
}

void Mesh::stop() {
  stopped_ = true;
  if (acceptor_) acceptor_->stop();
  for (const Entry& entry : entries_)
    entry.link->close();
  arrival_.cancel();
}

void Mesh::fail(Rank peer, const std::string& cause) {
  if (stopped_) return;
  stop();
  failed_(peer, cause);
}

std::int64_t Mesh::sending_ns() const {
  std::int64_t sum = 0;
  for (const Entry& entry : entries_)
    sum += entry.link->sending_ns();
  return sum;
}

std::uint64_t Mesh::payload_bytes_sent(Rank peer) const {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries_)
    if (entry.channel.peer == peer) bytes += entry.link->payload_bytes_sent();
  return bytes;
}

}  // namespace lockstep::exec
