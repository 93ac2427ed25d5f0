// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "exec/launch/communication_thread.h"
#include "exec/launch/control.h"
#include "exec/launch/rendezvous.h"
#include "exec/launch/rendezvous_messages.h"
#include "exec/transport/mesh.h"
#include "exec/transport/socket.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using boost::asio::ip::tcp;

constexpr auto kFarewell = std::chrono::milliseconds(500);

std::chrono::nanoseconds nanoseconds_of(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

std::vector<tcp::endpoint> resolve(boost::asio::io_context& context, const RankOptions& options,
                                   const std::string& where) {
  tcp::resolver resolver(context);
  boost::system::error_code error;
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : resolver.resolve(options.host, std::to_string(options.port), error))
    endpoints.push_back(entry.endpoint());
  if (error || endpoints.empty())
    throw ConfigError("rendezvous " + where, "the host name has no address: " + error.message());
  return endpoints;
}

tcp::acceptor listen(boost::asio::io_context& context, const RankOptions& options,
                     const std::string& where) {
  if (options.listening_socket >= 0) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(options.listening_socket, reinterpret_cast<sockaddr*>(&address), &size);
    tcp::acceptor acceptor(context);
    acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(),
                    options.listening_socket);
    return acceptor;
  }
  try {
    return tcp::acceptor(context, resolve(context, options, where).front());
  } catch (const boost::system::system_error& error) {
    throw ConfigError("rendezvous " + where, "cannot listen there: " + error.code().message());
  }
}

}  // namespace

/// All that lives as long as the session. What the communication thread owns (control, mesh) is
/// touched by it alone; `mutex` guards what it shares with the others.
struct Session::Life {
  explicit Life(const RankOptions& options_) : options(options_) {
    thread.look_at({[this] { return mesh && mesh->poll(); },
                    [this] {
                      if (mesh) mesh->rest();
                    }});
  }
  ~Life();

  void meet(std::string resolved_job);
  void open(Meeting meeting);
  std::vector<bool> ranks_here() const;
  void end(const Verdict& verdict);
  void break_down(const std::exception& error);
  void say_farewell();
  /// Waits for `ready` under the mutex; throws PeerError when a peer is lost first.
  template <typename Ready>
  void wait(Ready ready);

  RankOptions options;
  CommunicationThread thread{[this](const std::exception& error) { break_down(error); }};
  boost::asio::io_context& context = thread.context();
  Meeting meeting;
  SharedMemory buffers;  // what the mesh sends from
  std::unique_ptr<Mesh> mesh;
  std::unique_ptr<Control> control;
  std::function<void()> on_failure;  // the communication thread's
  std::function<void(Rank, const IterationReport&)> on_report;

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<PeerError> failure;
  std::vector<std::deque<std::string>> blobs;  // rank 0: by rank, not yet gathered
  std::int32_t releases = 0;
  std::int32_t arrivals = 0;
  bool connected = false;
  bool links_ended = false;
  bool left = false;
};

Session::Life::~Life() {
  if (thread.started()) say_farewell();
  thread.stop();
  if (control) control->stop();
  if (mesh) mesh->stop();
}

void Session::Life::break_down(const std::exception& error) {
  const std::string reason = std::string("communication: ") + error.what();
  if (control) control->give_up(reason);
  end({options.rank, "rank " + std::to_string(options.rank) + " failed: " + reason});
}

void Session::Life::meet(std::string resolved_job) {
  const std::string where = options.host + ":" + std::to_string(options.port);
  const RendezvousPlan plan{.rank = options.rank,
                            .ranks = options.ranks,
                            .secret = options.secret,
                            .timeout = nanoseconds_of(options.rendezvous_timeout_seconds),
                            .where = where,
                            .loopback_only = options.loopback_only,
                            .intra_host = options.intra_host};
  if (options.ranks == 1) {
    Meeting alone;
    alone.peers = {{this_host_name(), ::getpid(), "", 0, this_place()}};
    alone.resolved_job = std::move(resolved_job);
    alone.clock = Clock{steady_ns()};
    thread.start();
    thread.call([&] { open(std::move(alone)); });
    return;
  }
  boost::asio::awaitable<Meeting> meeting_up =
      options.rank == 0 ? host_rendezvous(listen(context, options, where), plan,
                                          std::move(resolved_job), Clock{steady_ns()})
                        : join_rendezvous(context, resolve(context, options, where), plan);
  std::promise<void> promise;
  boost::asio::co_spawn(context, std::move(meeting_up), [&](std::exception_ptr error, Meeting met) {
    if (error) return promise.set_exception(error);
    open(std::move(met));
    promise.set_value();
  });
  thread.start();
  promise.get_future().get();
}

/// Everything that the meeting made possible, on the communication thread.
void Session::Life::open(Meeting met) {
  meeting = std::move(met);
  blobs.resize(meeting.peers.size());
  mesh = std::make_unique<Mesh>(
      context, options.rank, options.ranks, options.secret, nanoseconds_of(options.timeout_seconds),
      [this](Rank peer, const std::string& cause) { control->suspect(peer, cause); });
  mesh->settle({meeting.intra_host, ranks_here(), &buffers});
  Control::Events events;
  events.verdict = [this](const Verdict& verdict) { end(verdict); };
  events.report = [this](Rank from, const IterationReport& report) {
    if (on_report) on_report(from, report);
  };
  events.blob = [this](Rank from, std::string blob) {
    const std::lock_guard lock(mutex);
    blobs[static_cast<std::size_t>(from)].push_back(std::move(blob));
    changed.notify_all();
  };
  events.released = [this] {
    const std::lock_guard lock(mutex);
    ++releases;
    changed.notify_all();
  };
  events.link_ended = [this] {
    const std::lock_guard lock(mutex);
    links_ended = control->all_links_ended();
    changed.notify_all();
  };
  control =
      std::make_unique<Control>(context, options.rank, meeting.peers, std::move(meeting.links),
                                nanoseconds_of(options.timeout_seconds), std::move(events));
  links_ended = control->all_links_ended();
  if (meeting.data_acceptor) mesh->listen(std::move(*meeting.data_acceptor));
  control->start();
}

std::vector<bool> Session::Life::ranks_here() const {
  std::vector<bool> here;
  for (const Peer& peer : meeting.peers)
    here.push_back(peer.place == meeting.peers[static_cast<std::size_t>(options.rank)].place);
  return here;
}

void Session::Life::end(const Verdict& verdict) {
  {
    const std::lock_guard lock(mutex);
    if (failure) return;
    failure.emplace(options.rank, verdict.peer, "", verdict.cause);
    changed.notify_all();
  }
  if (mesh) mesh->stop();
  if (on_failure) on_failure();
}

template <typename Ready>
void Session::Life::wait(Ready ready) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return failure.has_value() || ready(); });
  if (failure && !ready()) throw PeerError(*failure);
}

/// What was sent still has to arrive, a verdict most of all: the links end in order, unless the
/// other side takes too long.
void Session::Life::say_farewell() {
  thread.call([this] {
    if (mesh) mesh->stop();
    if (!control) return;
    if (!left) control->give_up("it ended early");
    control->end_sending();
  });
  std::unique_lock lock(mutex);
  if (control) changed.wait_for(lock, kFarewell, [this] { return links_ended; });
}

Session::Session(const RankOptions& options, std::string resolved_job)
    : life_(std::make_unique<Life>(options)) {
  LOCKSTEP_CHECK(options.rank >= 0 && options.rank < options.ranks,
                 "rank " + std::to_string(options.rank) + " of " + std::to_string(options.ranks));
  LOCKSTEP_CHECK(resolved_job.size() <= kMaximumJobBytes, "the resolved job is too long");
  life_->meet(std::move(resolved_job));
}

Session::~Session() = default;

Rank Session::rank() const {
  return life_->options.rank;
}
std::int32_t Session::ranks() const {
  return life_->options.ranks;
}
const std::string& Session::resolved_job() const {
  return life_->meeting.resolved_job;
}
const std::vector<Peer>& Session::peers() const {
  return life_->meeting.peers;
}
const Clock& Session::clock() const {
  return life_->meeting.clock;
}
Mesh& Session::mesh() {
  return *life_->mesh;
}

void Session::post(std::function<void()> function) {
  life_->thread.post(std::move(function));
}
void Session::call(const std::function<void()>& function) {
  life_->thread.call(function);
}
void Session::set_polling(bool polling) {
  life_->thread.set_polling(polling);
}

std::vector<bool> Session::ranks_here() const {
  return life_->ranks_here();
}

std::span<std::byte> Session::allocate(std::size_t bytes) {
  call([&] {
    LOCKSTEP_CHECK(life_->buffers.bytes().empty(), "a session's memory is allocated twice");
    const bool shared = life_->meeting.intra_host == IntraHost::SharedMemory;
    life_->buffers = shared ? SharedMemory(bytes) : SharedMemory::unshared(bytes);
    life_->mesh->buffers_are_there();
  });
  return life_->buffers.bytes();
}

void Session::connect(const std::vector<Channel>& channels) {
  if (channels.empty()) return;
  {
    const std::lock_guard lock(life_->mutex);
    life_->connected = false;
  }
  post([this, channels] {
    boost::asio::co_spawn(life_->context,
                          life_->mesh->connect(channels, life_->meeting.data_endpoints),
                          [life = life_.get()](std::exception_ptr error) {
                            if (error) std::rethrow_exception(error);
                            const std::lock_guard lock(life->mutex);
                            life->connected = !life->mesh->stopped();
                            life->changed.notify_all();
                          });
  });
  life_->wait([this] { return life_->connected; });
}

void Session::check_replica(std::int32_t iteration, std::uint64_t hash) {
  post([this, iteration, hash] { life_->control->give_hash(iteration, hash); });
}

void Session::report(const IterationReport& report) {
  post([this, report] { life_->control->give_report(report); });
}

void Session::on_report(std::function<void(Rank, const IterationReport&)> function) {
  call([&] { life_->on_report = std::move(function); });
}

std::vector<std::string> Session::gather(std::string blob) {
  call([&] { life_->control->give_blob(std::move(blob)); });
  std::vector<std::string> gathered;
  if (rank() != 0) return gathered;
  for (auto& queue : life_->blobs) {
    life_->wait([&] { return !queue.empty(); });
    const std::lock_guard lock(life_->mutex);
    gathered.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return gathered;
}

void Session::barrier() {
  const std::int32_t number = ++life_->arrivals;
  post([this] { life_->control->arrive(false); });
  life_->wait([&] { return life_->releases >= number; });
}

void Session::leave() {
  const std::int32_t number = ++life_->arrivals;
  post([this] { life_->control->arrive(true); });
  life_->wait([&] { return life_->releases >= number; });
  call([this] { life_->left = true; });
}

void Session::give_up(const std::string& reason) {
  call([&] {
    life_->mesh->stop();
    life_->control->give_up(reason);
  });
}

void Session::on_failure(std::function<void()> function) {
  call([&] {
    life_->on_failure = std::move(function);
    if (life_->on_failure && failure()) life_->on_failure();
  });
}

std::optional<PeerError> Session::failure() const {
  const std::lock_guard lock(life_->mutex);
  return life_->failure;
}

Session::Effort Session::effort() {
  Effort effort;
  call([&] { effort = {life_->thread.working_ns(), life_->mesh->sending_ns()}; });
  return effort;
}

int Session::strangers() {
  int strangers = 0;
  call([&] { strangers = life_->meeting.strangers + life_->mesh->strangers(); });
  return strangers;
}

}  // namespace lockstep::exec
