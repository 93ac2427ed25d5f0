// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/message_timing.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <memory>

#include "exec/runner/executor.h"
#include "exec/transport/clock.h"
#include "exec/transport/wire.h"
#include "models/cost/fit.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

namespace {

using schedule::Operator;
using schedule::Schedule;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

constexpr std::uint32_t kSent = 0, kArrived = 1;  // buffers: what goes out, what comes in

class Arrays final : public Worker {
 public:
  explicit Arrays(std::uint64_t count) : sent_(count, 1.0f), arrived_(count) {}
  void compute(std::int32_t, std::int32_t) override {}
  std::span<std::byte> buffer(std::uint32_t number) override {
    return std::as_writable_bytes(std::span(number == kSent ? sent_ : arrived_));
  }

 private:
  std::vector<float> sent_;
  std::vector<float> arrived_;
};

Step send(Rank to, std::uint64_t count) {
  return {.verb = Verb::Send, .target = to, .from = {kSent, 0, count}};
}

Step receive(Rank from, std::uint64_t count, Operator combine) {
  return {.verb = Verb::Recv, .combine = combine, .target = from, .into = {kArrived, 0, count}};
}

Schedule schedule_of(std::vector<std::vector<Step>> lists, std::uint64_t count) {
  Schedule result;
  result.name = "messages";
  result.ranks = 2;
  result.buffers = {{.name = "sent", .count = count}, {.name = "arrived", .count = count}};
  result.fragments = {{.name = "messages",
                       .bucket = -1,
                       .steps = std::make_shared<schedule::StepList>(std::move(lists)),
                       .after = {}}};
  return result;
}

/// Rank 0 sends when the last answer is there, rank 1 answers what it got.
Schedule ping_pong(std::uint64_t count, StepIndex rounds) {
  std::vector<std::vector<Step>> lists(2);
  for (StepIndex round = 0; round < rounds; ++round) {
    Step ping = send(1, count);
    if (round > 0) ping.wait_for(2 * round - 1);
    Step answer = receive(1, count, Operator::Replace);
    answer.wait_for(2 * round);
    lists[0].insert(lists[0].end(), {ping, answer});
    Step arrival = receive(0, count, Operator::Replace);
    if (round > 0) arrival.wait_for(2 * round - 1);
    Step pong = send(0, count);
    pong.wait_for(2 * round);
    lists[1].insert(lists[1].end(), {arrival, pong});
  }
  return schedule_of(std::move(lists), count);
}

/// Rank 0 sends `messages` in a row; with `both_ways` rank 1 does so too.
Schedule stream(std::uint64_t count, StepIndex messages, Operator combine, bool both_ways) {
  std::vector<std::vector<Step>> lists(2);
  for (Rank rank = 0; rank < 2; ++rank) {
    std::vector<Step>& list = lists[static_cast<std::size_t>(rank)];
    StepIndex last_receive = 0;
    for (StepIndex message = 0; message < messages; ++message) {
      if (rank == 0 || both_ways) list.push_back(send(1 - rank, count));
      if (rank == 1 || both_ways) {
        // They are stored in one place, so each waits for the one before.
        Step arrival = receive(1 - rank, count, combine);
        if (message > 0) arrival.wait_for(last_receive);
        last_receive = static_cast<StepIndex>(list.size());
        list.push_back(arrival);
      }
    }
    // Rank 1 says when all have arrived, so that the iterations of both end with the last one.
    if (rank == 1) {
      Step done = send(0, 1);
      done.wait_for(last_receive);
      list.push_back(done);
    } else {
      list.push_back(receive(1, 1, Operator::Replace));
      if (both_ways) list.back().wait_for(last_receive);
    }
  }
  return schedule_of(std::move(lists), count);
}

double processor_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Of all processors since the machine was started, the kernel's own work included, which no
/// process is charged with. Sampled by the kernel's clock, a few hundred times a second.
double machine_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> interrupts >> soft;
  return (user + nice + system + interrupts + soft) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Timing {
  double seconds = 0;            // of one run of the schedule, median
  double processor_seconds = 0;  // of one run, mean, of this process
  double machine_seconds = 0;    // likewise of the whole machine
};

Timing time_schedule(Session& session, const Schedule& schedule, std::int32_t repetitions,
                     bool may_poll) {
  session.connect(peers_of(schedule, session.rank()));
  Arrays arrays(schedule.buffers[kSent].count);
  Executor executor(session, schedule, arrays, {.may_poll = may_poll});
  session.barrier();
  constexpr std::int32_t kWarmUp = 2;
  executor.run(kWarmUp);
  session.barrier();
  const double before = processor_seconds();
  const double machine_before = machine_seconds();
  executor.run(repetitions);
  Timing timing;
  timing.processor_seconds = (processor_seconds() - before) / repetitions;
  timing.machine_seconds = (machine_seconds() - machine_before) / repetitions;
  std::vector<double> seconds;
  for (std::size_t i = kWarmUp; i < executor.figures().size(); ++i)
    seconds.push_back(executor.figures()[i].duration().seconds());
  timing.seconds = cost::median(std::move(seconds));
  return timing;
}

/// Both ranks measure; rank 0 also gets what rank 1's processors spent.
Stream time_stream(Session& session, std::uint64_t bytes, StepIndex messages, Operator combine,
                   bool both_ways) {
  constexpr std::int32_t kRepetitions = 15;
  const Timing timing =
      time_schedule(session, stream(bytes / 4, messages, combine, both_ways), kRepetitions, false);
  std::string blob;
  put(blob, timing.processor_seconds);
  const std::vector<std::string> blobs = session.gather(blob);
  if (session.rank() != 0) return {};
  std::string_view other = blobs[1];
  return {.bytes = bytes,
          .seconds = timing.seconds / messages,
          .send_core_seconds = timing.processor_seconds / messages,
          .receive_core_seconds = take_double(other) / messages,
          .machine_core_seconds = timing.machine_seconds / messages};
}

constexpr std::array<std::uint64_t, 7> kPingPongBytes{64,        1 << 10,   16 << 10, 64 << 10,
                                                      256 << 10, 512 << 10, 1 << 20};
constexpr std::uint64_t kLargeBytes = 256 << 10;

}  // namespace

MessageSamples time_messages(Session& session) {
  MessageSamples samples;
  for (const std::uint64_t bytes : kPingPongBytes) {
    constexpr StepIndex kRounds = 16;
    const Timing timing = time_schedule(session, ping_pong(bytes / 4, kRounds), 40, true);
    samples.ping_pongs.push_back({bytes, timing.seconds / (2 * kRounds)});
  }
  samples.small = time_stream(session, 64, 500, Operator::Replace, false);
  samples.large = time_stream(session, kLargeBytes, 64, Operator::Replace, false);
  samples.combining = time_stream(session, kLargeBytes, 64, Operator::Sum, false);
  samples.both_ways = time_stream(session, kLargeBytes, 64, Operator::Replace, true);
  return samples;
}

std::uint64_t tcp_window_bytes() {
  // "least, default, most", in bytes; half of a buffer is the kernel's own bookkeeping.
  std::uint64_t window = std::uint64_t{1} << 20;
  for (const char* path : {"/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"}) {
    std::ifstream file(path);
    std::uint64_t least = 0, usual = 0, most = 0;
    if (file >> least >> usual >> most) window = std::min(window, most / 2);
  }
  return window;
}

namespace {

void put_stream(std::string& out, const Stream& stream) {
  put(out, stream.bytes);
  put(out, stream.seconds);
  put(out, stream.send_core_seconds);
  put(out, stream.receive_core_seconds);
  put(out, stream.machine_core_seconds);
}

Stream take_stream(std::string_view& in) {
  Stream stream;
  stream.bytes = take<std::uint64_t>(in);
  stream.seconds = take_double(in);
  stream.send_core_seconds = take_double(in);
  stream.receive_core_seconds = take_double(in);
  stream.machine_core_seconds = take_double(in);
  return stream;
}

}  // namespace

std::string encode(const MessageSamples& samples) {
  std::string out;
  put(out, static_cast<std::uint32_t>(samples.ping_pongs.size()));
  for (const PingPong& sample : samples.ping_pongs) {
    put(out, sample.bytes);
    put(out, sample.one_way_seconds);
  }
  for (const Stream* stream :
       {&samples.small, &samples.large, &samples.combining, &samples.both_ways})
    put_stream(out, *stream);
  return out;
}

MessageSamples decode_samples(std::string_view text) {
  MessageSamples samples;
  const auto count = take<std::uint32_t>(text);
  for (std::uint32_t i = 0; i < count; ++i) {
    PingPong sample;
    sample.bytes = take<std::uint64_t>(text);
    sample.one_way_seconds = take_double(text);
    samples.ping_pongs.push_back(sample);
  }
  for (Stream* stream : {&samples.small, &samples.large, &samples.combining, &samples.both_ways})
    *stream = take_stream(text);
  take_end(text);
  return samples;
}

}  // namespace lockstep::exec
