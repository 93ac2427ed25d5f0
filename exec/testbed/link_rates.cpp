// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/link_rates.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "exec/testbed/failure.h"
#include "models/base/errors.h"
#include "models/base/units.h"

namespace lockstep::exec {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kChunk = 256 << 10;

double seconds_between(steady_clock::time_point begin, steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// A connection over one link. What is received while the bucket has something to give away, or TCP
/// looks for its pace, doesn't count.
class Transfer {
 public:
  Transfer(const Testbed& testbed, LinkId id)
      : link_(testbed.topology().links[static_cast<std::size_t>(id)]) {
    const auto [from, to] = addresses_of(id);
    const int listener = testbed.listen(link_.to, to);
    sending_ = testbed.connect(link_.from, from, listener);
    receiving_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ::close(listener);
    if (receiving_ < 0) throw_cannot("measure a link");
    ::fcntl(sending_, F_SETFL, O_NONBLOCK);
    constexpr double kSettlingSeconds = 0.05;
    constexpr double kShortest = 0.15;
    constexpr double kPackets = 8 * 65536;  // so many bytes at least
    const double rate = link_.payload_bytes_per_second();
    warm_up_bytes_ = 2 * static_cast<double>(link_.burst_bytes) + kSettlingSeconds * rate;
    counted_seconds_ = std::max(kShortest, kPackets / rate);
    limit_seconds_ = 1 + 3 * (warm_up_bytes_ / rate + counted_seconds_);
  }
  ~Transfer() {
    ::close(sending_);
    ::close(receiving_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  pollfd sender() const { return {sending_, POLLOUT, 0}; }
  pollfd receiver() const { return {receiving_, POLLIN, 0}; }
  bool done() const { return done_; }

  void send() const {
    static const std::vector<char> zeros(kChunk);
    while (::send(sending_, zeros.data(), zeros.size(), MSG_NOSIGNAL) > 0) {
    }
  }
  /// Throws away what has come.
  void receive() {
    const ssize_t count = ::recv(receiving_, nullptr, 1 << 30, MSG_TRUNC);
    if (count <= 0) return;
    last_ = steady_clock::now();
    const bool counts = received_ >= warm_up_bytes_;
    received_ += static_cast<double>(count);
    if (!counts) {
      first_ = last_;
      before_ = received_;
    }
  }
  void look_at_clock() {
    const double counted = seconds_between(first_, last_);
    done_ = done_ || counted >= counted_seconds_ ||
            seconds_between(begin_, steady_clock::now()) > limit_seconds_;
  }
  double bytes_per_second() const {
    const double counted = seconds_between(first_, last_);
    return counted > 0 ? (received_ - before_) / counted / link_.header_efficiency : 0;
  }

 private:
  const topology::Link& link_;
  int sending_ = -1;
  int receiving_ = -1;
  double warm_up_bytes_ = 0;
  double counted_seconds_ = 0;
  double limit_seconds_ = 0;
  steady_clock::time_point begin_ = steady_clock::now();
  steady_clock::time_point first_ = begin_;  // the last receipt that did not count
  steady_clock::time_point last_ = begin_;
  double received_ = 0;
  double before_ = 0;  // received until first_
  bool done_ = false;
};

}  // namespace

std::vector<double> measure_links(const Testbed& testbed, std::span<const LinkId> links) {
  std::vector<std::unique_ptr<Transfer>> transfers;
  std::vector<pollfd> waits;  // of each: its receiving and its sending end
  for (const LinkId link : links) {
    transfers.push_back(std::make_unique<Transfer>(testbed, link));
    waits.push_back(transfers.back()->receiver());
    waits.push_back(transfers.back()->sender());
  }
  const auto all_done = [&] {
    return std::all_of(transfers.begin(), transfers.end(),
                       [](const auto& transfer) { return transfer->done(); });
  };
  while (!all_done()) {
    constexpr int kMilliseconds = 10;
    ::poll(waits.data(), waits.size(), kMilliseconds);
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      if (waits[2 * i].revents != 0) transfers[i]->receive();
      if (waits[2 * i + 1].revents != 0) transfers[i]->send();
      transfers[i]->look_at_clock();
    }
  }
  std::vector<double> rates;
  for (const auto& transfer : transfers)
    rates.push_back(transfer->bytes_per_second());
  return rates;
}

namespace {

/// What is measured at one time: together no more than a slow processor carries, besides the
/// first.
std::vector<std::vector<LinkId>> groups_of(const topology::Topology& topology) {
  constexpr double kTogether = 1.25e8;  // bytes per second: 1 Gbit/s
  constexpr std::size_t kMost = 32;
  std::vector<std::vector<LinkId>> groups;
  double sum = 0;
  for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
    const double rate = topology.links[static_cast<std::size_t>(link)].bytes_per_second;
    sum += rate;
    if (groups.empty() || sum > kTogether || groups.back().size() == kMost) {
      groups.emplace_back();
      sum = rate;
    }
    groups.back().push_back(link);
  }
  return groups;
}

bool is_near(double rate, double expected, double tolerance) {
  return std::abs(rate / expected - 1) <= tolerance;
}

}  // namespace

double verify_links(const Testbed& testbed, double tolerance) {
  constexpr int kAttempts = 3;
  const topology::Topology& topology = testbed.topology();
  double worst = 0;
  for (const std::vector<LinkId>& group : groups_of(topology)) {
    const std::vector<double> rates = measure_links(testbed, group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double expected = topology.links[static_cast<std::size_t>(group[i])].bytes_per_second;
      double rate = rates[i];
      for (int attempt = 1; attempt < kAttempts && !is_near(rate, expected, tolerance); ++attempt)
        rate = measure_links(testbed, std::span(&group[i], 1)).front();
      if (!is_near(rate, expected, tolerance))
        throw ConfigError("testbed", "link " + topology.link_name(group[i]) + " carries " +
                                         format_bitrate(rate) + ", expected " +
                                         format_bitrate(expected) +
                                         "; this machine is too slow or too busy for it");
      worst = std::max(worst, std::abs(rate / expected - 1));
    }
  }
  return worst;
}

}  // namespace lockstep::exec
