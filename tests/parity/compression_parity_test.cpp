// SPDX-License-Identifier: Apache-2.0
// Iterations with every codec in both worlds: the same steps, the same bytes, and the same
// gradients to the bit on all ranks.
#include <catch2/catch.hpp>
#include <mutex>

#include "exec/runner/executor.h"
#include "exec/training/coder.h"
#include "models/base/random.h"
#include "models/training/iteration.h"
#include "tests/exec/ranks_in_threads.h"
#include "tests/parity/same_deeds.h"

namespace lockstep {
namespace {

using compression::Method;
using results::TraceSpan;

/// Backward writes numbers that follow from rank and iteration; codes are real.
class CodingWorker final : public exec::Worker {
 public:
  CodingWorker(const training::Job& job, const training::Iteration& iteration, Rank rank,
               std::span<std::byte> memory)
      : iteration_(iteration), rank_(rank), coder_(job, iteration, rank) {
    for (const schedule::Buffer& buffer : iteration.schedule.buffers) {
      buffers_.push_back(memory.first(buffer.count * bytes_of(buffer.type)));
      memory = memory.subspan(aligned(buffers_.back().size()));
    }
  }
  static std::size_t bytes(const schedule::Schedule& schedule) {
    std::size_t sum = 0;
    for (const schedule::Buffer& buffer : schedule.buffers)
      sum += aligned(buffer.count * bytes_of(buffer.type));
    return sum;
  }

  void compute(std::int32_t work, std::int32_t iteration) override {
    if (iteration_.works[static_cast<std::size_t>(work)].kind != network::WorkKind::Loss) return;
    Random random(5, static_cast<std::uint64_t>(rank_), static_cast<std::uint64_t>(iteration));
    for (float& value : gradients())
      value = static_cast<float>(random.normal());
  }
  void code(const schedule::Step& step, std::int32_t iteration) override {
    if (step.verb == schedule::Verb::Encode)
      coder_.encode(step, iteration, of(step.from), of(step.into));
    else
      coder_.decode(step, of(step.from), of(step.into));
  }
  std::span<std::byte> buffer(std::uint32_t number) override { return buffers_[number]; }
  std::span<float> gradients() {
    const std::span<std::byte> bytes = buffers_[training::kGradients];
    return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
  }

 private:
  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::span<std::byte> of(const schedule::Slice& slice) {
    const std::size_t size = bytes_of(iteration_.schedule.buffers[slice.buffer].type);
    return buffers_[slice.buffer].subspan(slice.first * size, slice.count * size);
  }

  const training::Iteration& iteration_;
  Rank rank_;
  exec::Coder coder_;
  std::vector<std::span<std::byte>> buffers_;
};

constexpr std::int32_t kIterations = 2;

struct Executed {
  std::vector<TraceSpan> spans;
  std::vector<std::vector<std::uint64_t>> bytes;  // [from][to]
  std::vector<std::vector<float>> gradients;      // of each rank
};

Executed execute(const training::Job& job, const training::Iteration& iteration) {
  Executed executed;
  executed.bytes.resize(static_cast<std::size_t>(job.ranks));
  executed.gradients.resize(executed.bytes.size());
  std::mutex mutex;
  const auto body = [&](exec::Session& session) {
    CodingWorker worker(job, iteration, session.rank(),
                        session.allocate(CodingWorker::bytes(iteration.schedule)));
    session.connect(exec::peers_of(iteration.schedule, session.rank()));
    exec::Executor executor(session, iteration.schedule, worker,
                            {.trace_first = 0, .trace_end = kIterations});
    executor.run(kIterations);
    session.leave();
    const std::lock_guard lock(mutex);
    const auto rank = static_cast<std::size_t>(session.rank());
    executed.spans.insert(executed.spans.end(), executor.trace().begin(), executor.trace().end());
    executed.bytes[rank] = executor.bytes_sent();
    executed.gradients[rank].assign(worker.gradients().begin(), worker.gradients().end());
  };
  const exec::Outcomes outcomes = exec::run_ranks(job.ranks, body, [&](exec::RankOptions& options) {
    if (options.rank == 0) options.intra_host = job.intra_host;
  });
  REQUIRE(outcomes == exec::Outcomes(static_cast<std::size_t>(job.ranks)));
  return executed;
}

void check(const training::Job& job) {
  const network::Network network = network::load_network(job.network);
  const training::Iteration iteration = training::make_iteration(job, network);
  const Executed executed = execute(job, iteration);
  for (const std::vector<float>& gradients : executed.gradients)
    CHECK(gradients == executed.gradients[0]);
  const auto size = static_cast<std::size_t>(job.ranks);
  const cost::Machine machine = parity::a_machine();
  const cost::CostModel cost(network, iteration.works, std::vector<std::int32_t>(size, 20), 1,
                             std::vector<const cost::Machine*>(size, &machine),
                             std::vector<double>(size, 1.0), {}, iteration.codes);
  parity::check_same_deeds(iteration.schedule, cost, executed.spans, executed.bytes, kIterations);
}

}  // namespace

TEST_CASE("parity: every codec does the same in both worlds, alike on all ranks to the bit",
          "[parity][compression][net]") {
  const Method method = GENERATE(from_range(compression::all_methods()));
  const std::int32_t ranks = GENERATE(1, 2, 3, 4);
  training::Job job;
  job.network = "lenet5";
  job.ranks = ranks;
  job.bucket_bytes = 20'000;
  job.segment_bytes = 4096;
  job.compression = compression::parse_rules(name_of(method), "test");
  job.intra_host = ranks == 3 ? IntraHost::SharedMemory : IntraHost::Tcp;
  CAPTURE(name_of(method), ranks);
  check(job);
}

TEST_CASE("parity: codecs by layer, and with other algorithms", "[parity][compression][net]") {
  using collectives::Algorithm;
  training::Job job;
  job.network = "lenet5";
  job.ranks = 5;
  job.bucket_bytes = 1 << 20;
  job.algorithm = GENERATE(Algorithm::Ring, Algorithm::HalvingDoubling, Algorithm::Bcube);
  job.compression = compression::parse_rules("dense1=powersgd:2,dense*=dgc:0.1,bf16", "test");
  check(job);
  job.algorithm = Algorithm::RecursiveDoubling;  // which needs room for what arrives
  job.compression = compression::parse_rules("dense1=powersgd:2,fp16", "test");
  check(job);
}

}  // namespace lockstep
