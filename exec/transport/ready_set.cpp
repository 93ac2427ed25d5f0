// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/ready_set.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lockstep::exec {

ReadySet::ReadySet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
}

ReadySet::~ReadySet() {
  ::close(epoll_);
}

void ReadySet::add(int socket, std::uint32_t number) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = number;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll");
}

std::span<const ReadySet::Event> ReadySet::collect() {
  std::array<epoll_event, kMost> raw;
  const int count = ::epoll_wait(epoll_, raw.data(), static_cast<int>(raw.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = raw[static_cast<std::size_t>(i)];
    events_[static_cast<std::size_t>(i)] = {
        event.data.u32, (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0,
        (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0};
  }
  return std::span(events_).first(count > 0 ? static_cast<std::size_t>(count) : 0);
}

}  // namespace lockstep::exec
