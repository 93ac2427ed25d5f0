// SPDX-License-Identifier: Apache-2.0
// One schedule in both worlds: the same steps, the same bytes between the same ranks, and sums that
// are right bit for bit.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <mutex>

#include "exec/runner/executor.h"
#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/msccl/from_schedule.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"
#include "models/training/iteration.h"
#include "tests/exec/ranks_in_threads.h"
#include "tests/parity/same_deeds.h"
#include "tests/support/in_memory.h"
#include "tests/support/msccl_files.h"
#include "tests/support/operations.h"

namespace lockstep {
namespace {

using results::TraceSpan;

/// A job's work on plain arrays: Compute steps write a number that follows from rank and element.
class PlainWorker final : public exec::Worker {
 public:
  static std::size_t floats(const schedule::Schedule& schedule) {
    std::size_t sum = 0;
    for (const schedule::Buffer& buffer : schedule.buffers)
      sum += buffer.count;
    return sum;
  }
  /// `memory`: floats() of them.
  PlainWorker(const schedule::Schedule& schedule, Rank rank, std::span<float> memory) {
    for (std::size_t b = 0; b < schedule.buffers.size(); ++b) {
      Random random(11, static_cast<std::uint64_t>(rank), b);
      buffers.push_back(memory.first(schedule.buffers[b].count));
      memory = memory.subspan(schedule.buffers[b].count);
      for (float& value : buffers.back())
        value = static_cast<float>(random.normal());
    }
  }
  void compute(std::int32_t, std::int32_t) override {}
  std::span<std::byte> buffer(std::uint32_t number) override {
    return std::as_writable_bytes(buffers[number]);
  }

  std::vector<std::span<float>> buffers;
};

struct Way {
  IntraHost how = IntraHost::Tcp;
  bool may_poll = false;
};

struct Executed {
  std::vector<TraceSpan> spans;
  std::vector<std::vector<std::uint64_t>> bytes;  // [from][to]
  std::vector<std::vector<float>> first_buffers;  // of each rank
};

Executed execute(const schedule::Schedule& schedule, const Way& way = {},
                 std::int32_t iterations = 1) {
  Executed executed;
  executed.bytes.resize(static_cast<std::size_t>(schedule.ranks));
  executed.first_buffers.resize(executed.bytes.size());
  std::mutex mutex;
  const auto body = [&](exec::Session& session) {
    const std::size_t floats = PlainWorker::floats(schedule);
    const std::span<std::byte> memory = session.allocate(floats * sizeof(float));
    PlainWorker worker(schedule, session.rank(), {reinterpret_cast<float*>(memory.data()), floats});
    session.connect(exec::peers_of(schedule, session.rank()));
    exec::Executor executor(session, schedule, worker,
                            {.may_poll = way.may_poll, .trace_first = 0, .trace_end = iterations});
    executor.run(iterations);
    session.leave();
    const std::lock_guard lock(mutex);
    const auto rank = static_cast<std::size_t>(session.rank());
    executed.spans.insert(executed.spans.end(), executor.trace().begin(), executor.trace().end());
    executed.bytes[rank] = executor.bytes_sent();
    executed.first_buffers[rank].assign(worker.buffers[0].begin(), worker.buffers[0].end());
  };
  // Rank 0's word counts.
  const exec::Outcomes outcomes =
      exec::run_ranks(schedule.ranks, body, [&](exec::RankOptions& options) {
        if (options.rank == 0) options.intra_host = way.how;
      });
  REQUIRE(outcomes == exec::Outcomes(static_cast<std::size_t>(schedule.ranks)));
  return executed;
}

/// What the ranks hold is, bit for bit, what the schedule makes of plain arrays.
void check_same_bits(const schedule::Schedule& schedule, const Executed& executed) {
  support::InMemoryRun memory(schedule, 5);
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    std::vector<float> floats(PlainWorker::floats(schedule));
    const PlainWorker worker(schedule, rank, floats);
    for (std::size_t b = 0; b < schedule.buffers.size(); ++b)
      memory.buffer(rank, static_cast<std::uint32_t>(b))
          .assign(worker.buffers[b].begin(), worker.buffers[b].end());
  }
  memory.run();
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    const std::vector<float>& expected = memory.buffer(rank, 0);
    const std::vector<float>& result = executed.first_buffers[static_cast<std::size_t>(rank)];
    REQUIRE(result.size() == expected.size());
    CHECK(std::equal(result.begin(), result.end(), expected.begin(), [](float a, float b) {
      return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
    }));
  }
}

}  // namespace

TEST_CASE("parity: every algorithm does the same in both worlds, and adds up bit for bit",
          "[parity][net]") {
  const std::int32_t ranks = GENERATE(1, 2, 3, 4, 6, 7, 8, 13);
  using CountAndSegment = std::pair<std::uint64_t, std::uint64_t>;
  const auto [count, segment] =
      GENERATE(values<CountAndSegment>({{0, 0}, {3, 0}, {1001, 0}, {1001, 64}, {100'003, 65'536}}));
  const cost::Machine machine = parity::a_machine();
  const std::vector<const cost::Machine*> machines(static_cast<std::size_t>(ranks), &machine);
  const cost::CostModel cost(machines, std::vector<double>(machines.size(), 1.0));
  for (const support::Case& one : support::cases_for(ranks, count, segment)) {
    INFO(one.name());
    const schedule::Schedule schedule = make_schedule(one.algorithm, one.operation);
    const Executed executed = execute(schedule);
    parity::check_same_deeds(schedule, cost, executed.spans, executed.bytes);
    check_same_bits(schedule, executed);
    if (one.operation.collective == collectives::Collective::ReduceScatter) continue;
    for (const std::vector<float>& result : executed.first_buffers)
      CHECK(result == executed.first_buffers[0]);
  }
}

TEST_CASE("parity: the same over Unix sockets and through shared memory, polling or not",
          "[parity][net]") {
  const Way way = GENERATE(values<Way>({{IntraHost::Unix, false},
                                        {IntraHost::Unix, true},
                                        {IntraHost::SharedMemory, false},
                                        {IntraHost::SharedMemory, true},
                                        {IntraHost::Tcp, true}}));
  const std::int32_t ranks = GENERATE(2, 3, 8);
  const std::uint64_t segment = GENERATE(0, 65'536);
  CAPTURE(name_of(way.how), way.may_poll, ranks, segment);
  const cost::Machine machine = parity::a_machine();
  const std::vector<const cost::Machine*> machines(static_cast<std::size_t>(ranks), &machine);
  const cost::CostModel cost(machines, std::vector<double>(machines.size(), 1.0));
  for (const support::Case& one :
       support::cases_for(ranks, segment > 0 ? 300'007 : 1001, segment)) {
    INFO(one.name());
    const std::int32_t parts =
        one.operation.collective == collectives::Collective::AllReduce ? 1 + ranks % 2 : 1;
    const schedule::Schedule schedule = make_schedule(one.algorithm, one.operation, parts);
    const Executed executed = execute(schedule, way);
    parity::check_same_deeds(schedule, cost, executed.spans, executed.bytes);
    check_same_bits(schedule, executed);
  }
}

TEST_CASE("parity: a schedule from an MSCCL file runs in both worlds", "[parity][net]") {
  const std::uint64_t count = GENERATE(3, 1001);
  CAPTURE(count);
  const std::string ring = to_xml(msccl::make_program(
      collectives::Algorithm::Ring, {.ranks = 3, .data = {}, .scratch = {}, .groups = {}}));
  for (const std::string& text : {ring, support::fused_ring(4, true), support::all_pairs(5)}) {
    const schedule::Schedule schedule =
        msccl::make_schedule(msccl::parse_program(text, "test.xml"), count);
    const cost::Machine machine = parity::a_machine();
    const std::vector<const cost::Machine*> machines(static_cast<std::size_t>(schedule.ranks),
                                                     &machine);
    const cost::CostModel cost(machines, std::vector<double>(machines.size(), 1.0));
    const Executed executed = execute(schedule);
    parity::check_same_deeds(schedule, cost, executed.spans, executed.bytes);
    check_same_bits(schedule, executed);
  }
}

TEST_CASE("parity: a training iteration does the same in both worlds", "[parity][net]") {
  const collectives::Algorithm algorithm = GENERATE(from_range(collectives::all_algorithms()));
  const bool overlap = GENERATE(true, false);
  const std::int32_t ranks = GENERATE(1, 2, 3, 4);
  CAPTURE(collectives::name_of(algorithm), overlap, ranks);
  training::Job job;
  job.network = "lenet5";
  job.ranks = ranks;
  job.algorithm = algorithm;
  job.overlap = overlap;
  job.bucket_bytes = 1000;
  job.segment_bytes = 4096;
  const network::Network network = network::load_network(job.network);
  const training::Iteration iteration =
      training::make_iteration(job, network, support::consecutive_groups(ranks, 2));
  const cost::Machine machine = parity::a_machine();
  const auto size = static_cast<std::size_t>(ranks);
  const cost::CostModel cost(network, iteration.works, std::vector<std::int32_t>(size, 20), 1,
                             std::vector<const cost::Machine*>(size, &machine),
                             std::vector<double>(size, 1.0));
  const Executed executed = execute(iteration.schedule);
  parity::check_same_deeds(iteration.schedule, cost, executed.spans, executed.bytes);
}

TEST_CASE("parity: local iterations do the same in both worlds, averages included",
          "[parity][net]") {
  const std::int32_t ranks = GENERATE(1, 2, 3, 4);
  const std::int32_t local_steps = GENERATE(1, 3);
  const std::int32_t local_from = GENERATE(0, 2);
  CAPTURE(ranks, local_steps, local_from);
  training::Job job;
  job.network = "lenet5";
  job.ranks = ranks;
  job.bucket_bytes = 1000;
  job.segment_bytes = 4096;
  job.local_steps = local_steps;
  job.local_from = local_from;
  const network::Network network = network::load_network(job.network);
  const training::Iteration iteration = training::make_iteration(job, network);
  const cost::Machine machine = parity::a_machine();
  const auto size = static_cast<std::size_t>(ranks);
  const cost::CostModel cost(network, iteration.works, std::vector<std::int32_t>(size, 20), 1,
                             std::vector<const cost::Machine*>(size, &machine),
                             std::vector<double>(size, 1.0));
  const std::int32_t iterations = local_from + 2 * local_steps + 1;
  const Executed executed = execute(iteration.schedule, {}, iterations);
  parity::check_same_deeds(iteration.schedule, cost, executed.spans, executed.bytes, iterations);
}

}  // namespace lockstep
