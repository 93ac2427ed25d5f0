// SPDX-License-Identifier: Apache-2.0
#include "cli/pause.h"

#include <algorithm>
#include <cstring>

#include "exec/runner/executor.h"
#include "exec/training/checkpoint.h"
#include "models/base/errors.h"
#include "models/schedule/facts.h"

namespace lockstep::cli {

Pause::Pause(exec::Session& session, const training::Job& job, const ResolvedJob& resolved,
             const exec::Dataset& data, exec::Replica& replica)
    : session_(session), job_(job), resolved_(resolved), data_(data), replica_(replica) {}

std::span<const float> Pause::model(std::int32_t iterations) {
  if (!training::parameters_differ(resolved_.job, iterations)) return replica_.parameters();
  const training::Iteration& iteration = resolved_.iteration;
  const schedule::Schedule& averaging =
      iteration.service ? iteration.service->gather : iteration.averaging->alone;
  session_.connect(exec::peers_of(averaging, session_.rank()));
  exec::Executor executor(session_, averaging, replica_, {});
  executor.run(1);
  bytes_sent_.resize(static_cast<std::size_t>(session_.ranks()));
  for (const schedule::PairBytes& pair : schedule::rank_facts(averaging, session_.rank()).sent)
    bytes_sent_[static_cast<std::size_t>(pair.peer)] += pair.bytes;
  return replica_.averages();
}

exec::Classified Pause::test(std::int32_t iterations) {
  const training::Job& job = resolved_.job;
  const std::int32_t images = data_.test->count();
  const std::int32_t first = training::first_of_share(images, job.ranks, session_.rank());
  const std::int32_t end = training::first_of_share(images, job.ranks, session_.rank() + 1);
  return exec::classify(resolved_.network, model(iterations), *data_.test,
                        exec::normaliser_of(job, resolved_.network.input.channels), first,
                        end - first, job.threads);
}

/// Of each rank, on rank 0, if there are any.
std::vector<std::vector<float>> Pause::gather_own_memories(std::int32_t iterations) {
  constexpr std::size_t kPiece = std::size_t{32} << 20;  // floats: half of what a message may have
  const std::vector<float> mine = replica_.own_memory(iterations);
  std::vector<std::vector<float>> all(
      session_.rank() == 0 && !mine.empty() ? static_cast<std::size_t>(session_.ranks()) : 0);
  for (std::size_t first = 0; first < mine.size(); first += kPiece) {
    const std::size_t count = std::min(kPiece, mine.size() - first);
    const std::vector<std::string> pieces = session_.gather(
        std::string(reinterpret_cast<const char*>(mine.data() + first), count * sizeof(float)));
    for (std::size_t rank = 0; rank < pieces.size(); ++rank) {
      LOCKSTEP_CHECK(pieces[rank].size() == count * sizeof(float),
                     "rank " + std::to_string(rank) + " keeps another number of floats");
      all[rank].resize(first + count);
      std::memcpy(all[rank].data() + first, pieces[rank].data(), pieces[rank].size());
    }
  }
  return all;
}

void Pause::save(const std::string& path, std::int32_t iterations) {
  const std::span<const float> parameters = model(iterations);
  const std::vector<std::vector<float>> memories = gather_own_memories(iterations);
  if (session_.rank() == 0)
    exec::save_checkpoint(path, resolved_.network, job_, iterations, parameters,
                          replica_.optimizer_state(), memories);
}

}  // namespace lockstep::cli
