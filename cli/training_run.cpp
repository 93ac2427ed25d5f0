// SPDX-License-Identifier: Apache-2.0
#include "cli/training_run.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "cli/envelope_json.h"
#include "cli/learning.h"
#include "cli/progress_line.h"
#include "exec/launch/binding.h"
#include "exec/runner/executor.h"
#include "exec/training/checkpoint.h"
#include "exec/training/rank_record.h"
#include "exec/training/replica.h"
#include "exec/transport/wire.h"
#include "models/base/errors.h"
#include "models/schedule/verify.h"
#include "models/topology/routes.h"

namespace lockstep::cli {

namespace {

using exec::RankRecord;
using exec::Session;

/// Iterations before the caches and buffers have settled; the summary leaves them out.
std::int32_t warm_up_iterations(std::int32_t iterations) {
  return std::min(5, iterations / 5);
}

std::string seal(const ResolvedTraining& own, const TrainingOptions& options) {
  const ResolvedJob& resolved = own.resolved;
  Envelope envelope{
      .job = resolved.job,
      .network = resolved.network,
      .topology = resolved.topology,
      .images = own.data.fingerprint(),
      .strict = options.strict,
      .replica_check = options.replica_check,
      .test_every = options.test_every,
      .iterations_done = options.iterations_done,
      .checkpoint_every = options.checkpoint.empty() ? kNoCheckpoints : options.checkpoint_every};
  if (options.with_trace) {
    constexpr std::int32_t kTracedIterations = 4;
    envelope.trace_first = warm_up_iterations(resolved.job.iterations);
    envelope.trace_end = envelope.trace_first + kTracedIterations;
  }
  return to_json(envelope);
}

void prove(const training::Iteration& iteration) {
  for (const schedule::Contract& contract : iteration.contracts()) {
    const std::vector<schedule::Violation> violations =
        schedule::verify(iteration.schedule, contract);
    LOCKSTEP_CHECK(violations.empty(), "the schedule is wrong: " + violations.front().message);
  }
}

/// Polling costs a core: only when this host has one for every computing thread of its ranks.
bool may_poll(const Session& session, std::int32_t threads) {
  const std::string& here = session.peers()[static_cast<std::size_t>(session.rank())].host;
  std::int64_t ranks = 0;
  for (const exec::Peer& peer : session.peers())
    ranks += peer.host == here ? 1 : 0;
  return ranks * threads <= static_cast<std::int64_t>(std::thread::hardware_concurrency());
}

/// This rank's own images, if it is not rank 0, which has opened them already.
exec::Dataset open_images(const TrainingOptions& options, const Envelope& envelope,
                          const ResolvedJob& resolved) {
  training::Job job = resolved.job;
  if (!options.data.empty()) job.data = options.data;
  exec::Dataset data = exec::open_dataset(job, resolved.network.input, envelope.strict);
  exec::check_fits(data, resolved.network, job.batch);
  if (data.fingerprint() != envelope.images)
    throw ConfigError(data.folder, "its images are not those of rank 0, which has " +
                                       std::string("other names, numbers or labels"));
  return data;
}

/// What is done to the images before training: decoding them into a cache, and, if it matters,
/// finding those that cannot be used; of each of these every rank looks at its part.
void prepare_images(exec::Dataset& data, const Envelope& envelope, Rank rank) {
  const auto threads = static_cast<std::size_t>(std::max(1u, std::thread::hardware_concurrency()));
  exec::fill_cache(data, envelope.job, threads);
  if (!envelope.strict) return;
  for (const exec::ImageSet* images : {data.train.get(), data.test.get()}) {
    const std::int32_t first = training::first_of_share(images->count(), envelope.job.ranks, rank);
    const std::int32_t end =
        training::first_of_share(images->count(), envelope.job.ranks, rank + 1);
    exec::read_all(*images, first, end - first, threads);
  }
}

/// All ranks' codec memories, on rank 0, if there are any.
std::vector<std::vector<float>> gather_codec_memories(Session& session, exec::Replica& replica) {
  constexpr std::size_t kPiece = std::size_t{32} << 20;  // floats: half of what a message may have
  const std::vector<float> mine = replica.codec_memory();
  std::vector<std::vector<float>> all(
      session.rank() == 0 && !mine.empty() ? static_cast<std::size_t>(session.ranks()) : 0);
  for (std::size_t first = 0; first < mine.size(); first += kPiece) {
    const std::size_t count = std::min(kPiece, mine.size() - first);
    const std::vector<std::string> pieces = session.gather(
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

/// Called by all ranks.
void save(Session& session, const TrainingOptions& options, std::int32_t iterations,
          const ResolvedJob& resolved, exec::Replica& replica) {
  const std::vector<std::vector<float>> memories = gather_codec_memories(session, replica);
  if (session.rank() == 0)
    exec::save_checkpoint(options.checkpoint, resolved.network, resolved.job, iterations,
                          replica.parameters(), replica.optimizer_state(), memories);
}

double last_or_zero(const std::vector<double>& values) {
  return values.empty() ? 0 : values.back();
}

/// This rank's share of the test images.
exec::Classified test(const Session& session, const ResolvedJob& resolved,
                      const exec::Dataset& data, exec::Replica& replica) {
  const training::Job& job = resolved.job;
  const std::int32_t images = data.test->count();
  const std::int32_t first = training::first_of_share(images, job.ranks, session.rank());
  const std::int32_t end = training::first_of_share(images, job.ranks, session.rank() + 1);
  return exec::classify(resolved.network, replica.parameters(), *data.test,
                        exec::normaliser_of(job, resolved.network.input.channels), first,
                        end - first, job.threads);
}

/// Trains, then classifies this rank's share of the test images.
RankRecord run_rank(Session& session, const TrainingOptions& options, const Envelope& envelope,
                    const ResolvedJob& resolved, const exec::Dataset& data,
                    exec::Replica& replica) {
  const training::Job& job = resolved.job;
  const schedule::Schedule& schedule = resolved.iteration.schedule;
  session.connect(exec::peers_of(schedule, session.rank()));
  exec::Executor executor(session, schedule, replica,
                          {.may_poll = may_poll(session, job.threads),
                           .trace_first = envelope.trace_first,
                           .trace_end = envelope.trace_end});
  RankRecord record;
  session.barrier();
  executor.run(
      job.iterations, [&](std::int32_t iteration, const results::IterationFigures& figures) {
        session.report({.iteration = iteration,
                        .images = replica.share(),
                        .loss = replica.loss_sums().back(),
                        .part_squares = last_or_zero(replica.part_squares()),
                        .whole_square = last_or_zero(replica.whole_squares()),
                        .seconds = figures.duration().seconds(),
                        .exposed_seconds = figures.exposed.seconds()});
        const bool is_last = iteration + 1 == job.iterations;
        const auto is_due = [&](std::int32_t every) {
          return every > 0 && (iteration + 1) % every == 0;
        };
        const bool is_first = iteration == 0;  // do all begin alike?
        if (envelope.replica_check > 0 && (is_first || is_last || is_due(envelope.replica_check)))
          session.check_replica(iteration, replica.hash());
        if (is_due(envelope.test_every)) {
          const exec::Classified now = test(session, resolved, data, replica);
          record.curve.push_back(static_cast<std::uint64_t>(now.tested));
          record.curve.push_back(static_cast<std::uint64_t>(now.correct));
          session.barrier();  // testing is off the clock: nobody waits for it in an iteration
        }
        if (envelope.checkpoint_every != kNoCheckpoints &&
            (is_last || is_due(envelope.checkpoint_every)))
          save(session, options, envelope.iterations_done + iteration + 1, resolved, replica);
      });

  record.figures = executor.figures();
  record.loss_sums = replica.loss_sums();
  record.part_squares = replica.part_squares();
  record.whole_squares = replica.whole_squares();
  record.bucket_times = executor.bucket_times();
  record.bytes_sent = executor.bytes_sent();
  record.spans = executor.trace();
  const exec::Loader::Cost input = replica.input_cost();
  record.images_read = input.images;
  record.input_core_seconds = input.core_seconds;
  const exec::Classified classified = test(session, resolved, data, replica);
  record.tested = classified.tested;
  record.correct = classified.correct;
  record.faults = data.faults();
  return record;
}

/// Of all ranks: each file once, by name.
std::vector<exec::Fault> faults_of(const std::vector<RankRecord>& records) {
  std::map<std::string, std::string> reasons;
  for (const RankRecord& record : records)
    for (const exec::Fault& fault : record.faults)
      reasons.emplace(fault.file, fault.reason);
  std::vector<exec::Fault> faults;
  for (const auto& [file, reason] : reasons)
    faults.push_back({file, reason});
  return faults;
}

results::ImageFigures image_figures(const std::vector<RankRecord>& records,
                                    const std::vector<exec::Fault>& faults,
                                    const exec::Dataset& data) {
  double seconds = 0;
  std::int64_t images = 0;
  for (const RankRecord& record : records) {
    seconds += record.input_core_seconds;
    images += record.images_read;
  }
  results::ImageFigures figures;
  figures.train = data.train->count();
  figures.test = data.test->count();
  figures.classes = data.classes;
  figures.core_seconds_per_image = images > 0 ? seconds / static_cast<double>(images) : 0;
  figures.skipped = static_cast<std::int32_t>(faults.size());
  for (const exec::Fault& fault : faults)
    if (figures.skipped_files.size() < results::kSkippedFilesListed)
      figures.skipped_files.push_back(fault.file + ": " + fault.reason);
  return figures;
}

std::vector<results::BucketFigures> bucket_figures(const std::vector<RankRecord>& records,
                                                   const training::Iteration& iteration,
                                                   std::size_t warm_up) {
  const std::size_t buckets = iteration.buckets.size();
  std::vector<results::BucketFigures> figures;
  for (std::size_t b = 0; b < buckets; ++b) {
    double seconds = 0;
    std::size_t samples = 0;
    for (const RankRecord& record : records)
      for (std::size_t i = warm_up * buckets + b; i < record.bucket_times.size(); i += buckets) {
        seconds += record.bucket_times[i].seconds();
        ++samples;
      }
    figures.push_back({static_cast<std::int32_t>(b), 4 * iteration.buckets[b].count,
                       samples > 0 ? seconds / static_cast<double>(samples) : 0});
  }
  return figures;
}

/// What went over each link of the job's topology, by its routes. Which way a hash sends a real
/// stream is not known here: it counts as divided, what it is on average.
std::vector<results::LinkFigures> link_figures(const std::vector<RankRecord>& records,
                                               const ResolvedJob& resolved, double seconds) {
  std::vector<std::uint64_t> bytes(resolved.topology.links.size());
  const topology::Routing routing = resolved.topology.routing;
  topology::Routes routes(resolved.topology,
                          routing == topology::Routing::Hash ? topology::Routing::Split : routing,
                          resolved.job.seed);
  for (std::size_t from = 0; from < records.size(); ++from)
    for (std::size_t to = 0; to < records[from].bytes_sent.size(); ++to)
      for (const auto& [link, share] :
           routes.between({.from = resolved.host_of_rank[from], .to = resolved.host_of_rank[to]})
               .hops)
        bytes[static_cast<std::size_t>(link)] += static_cast<std::uint64_t>(
            share * static_cast<double>(records[from].bytes_sent[to]) / resolved.job.iterations);
  std::vector<results::LinkFigures> figures;
  for (std::size_t link = 0; link < bytes.size(); ++link) {
    const topology::Link& cable = resolved.topology.links[link];
    const double capacity = cable.payload_bytes_per_second() * seconds;
    figures.push_back({resolved.topology.link_name(static_cast<LinkId>(link)), bytes[link],
                       capacity > 0 ? static_cast<double>(bytes[link]) / capacity : 0});
  }
  return figures;
}

results::Result result_of(const ResolvedJob& resolved, const Session& session,
                          const std::vector<RankRecord>& records) {
  const auto warm_up = static_cast<std::size_t>(warm_up_iterations(resolved.job.iterations));
  const std::vector<std::int32_t> batches = resolved.batch_of_rank();
  std::vector<std::vector<results::IterationFigures>> iterations;
  std::vector<std::uint64_t> bytes_sent;
  for (const RankRecord& record : records) {
    iterations.emplace_back(record.figures.begin() + static_cast<std::ptrdiff_t>(warm_up),
                            record.figures.end());
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : record.bytes_sent)
      sum += bytes;
    bytes_sent.push_back(sum / static_cast<std::uint64_t>(resolved.job.iterations));
  }
  results::Result result;
  result.origin = results::Origin::Measured;
  result.job = resolved.job;
  result.topology = resolved.topology;
  result.summary = results::summarise(iterations, bytes_sent, resolved.job.batch);
  result.buckets = bucket_figures(records, resolved.iteration, warm_up);
  result.links = link_figures(records, resolved, result.summary.iteration_seconds.mean);
  for (std::size_t rank = 0; rank < records.size(); ++rank)
    result.ranks.push_back(results::rank_figures(static_cast<Rank>(rank),
                                                 session.peers()[rank].host, batches[rank],
                                                 iterations[rank], bytes_sent[rank]));
  return result;
}

/// Lets the replica begin where a file says, if one was given.
void start(const TrainingOptions& options, const Envelope& envelope, const ResolvedJob& resolved,
           Rank rank, exec::Replica& replica) {
  if (!options.init.empty())
    exec::load_parameters(options.init, resolved.network, replica.parameters());
  std::int32_t done = 0;
  if (!options.resume.empty())
    done = exec::load_checkpoint(options.resume, resolved.network, resolved.job,
                                 replica.parameters(), replica.optimizer_state());
  if (const std::size_t floats = replica.codec_memory().size(); done > 0 && floats > 0)
    replica.set_codec_memory(exec::load_codec_memory(options.resume, resolved.job, rank, floats));
  if (done != envelope.iterations_done)
    throw ConfigError(
        "--resume", "rank 0 goes on after " + std::to_string(envelope.iterations_done) +
                        " iterations, the checkpoint given here is after " + std::to_string(done));
}

/// All that happens between the rendezvous and the end.
std::optional<TrainingOutcome> train_in(Session& session, const TrainingOptions& options,
                                        std::optional<ResolvedTraining> own) {
  const Envelope envelope = parse_envelope(session.resolved_job());
  const ResolvedJob resolved = resolve(envelope.job, envelope.network, envelope.topology);
  const bool is_first = session.rank() == 0;
  if (is_first) prove(resolved.iteration);
  exec::Dataset data = own ? std::move(own->data) : open_images(options, envelope, resolved);
  prepare_images(data, envelope, session.rank());
  if (options.bind) exec::bind_to_share(session, resolved.job.threads);
  const std::size_t exchanged =
      exec::Replica::exchanged_floats(resolved.network, resolved.iteration);
  const std::span<std::byte> memory = session.allocate(exchanged * sizeof(float));
  exec::Replica replica(resolved.job, resolved.network, resolved.iteration, data, session.rank(),
                        envelope.iterations_done,
                        {reinterpret_cast<float*>(memory.data()), exchanged});
  start(options, envelope, resolved, session.rank(), replica);

  ProgressLine line(resolved.job, options.predicted_seconds);
  if (is_first)
    session.on_report(
        [&line](Rank rank, const exec::IterationReport& report) { line.report(rank, report); });
  const RankRecord record = run_rank(session, options, envelope, resolved, data, replica);
  const std::vector<std::string> blobs = session.gather(exec::encode(record));
  std::optional<TrainingOutcome> outcome;
  if (is_first) {
    line.finish();
    std::vector<RankRecord> records;
    for (const std::string& blob : blobs)
      records.push_back(exec::decode_record(blob));
    outcome.emplace();
    outcome->faults = faults_of(records);
    outcome->result = result_of(resolved, session, records);
    outcome->result.learning =
        learning_of(records, resolved.job, envelope.test_every, envelope.iterations_done);
    outcome->result.images = image_figures(records, outcome->faults, data);
    for (const RankRecord& each : records)
      outcome->spans.insert(outcome->spans.end(), each.spans.begin(), each.spans.end());
    if (!options.save_parameters.empty())
      exec::save_parameters(options.save_parameters, resolved.network, replica.parameters());
    outcome->resolved = resolved;
  }
  session.leave();
  return outcome;
}

}  // namespace

std::optional<TrainingOutcome> train(const TrainingOptions& options,
                                     std::optional<ResolvedTraining> own) {
  exec::RankOptions rank = options.rank;
  if (own) rank.intra_host = own->resolved.job.intra_host;
  Session session(rank, own ? seal(*own, options) : "");
  try {
    return train_in(session, options, std::move(own));
  } catch (const ConfigError& error) {
    session.give_up(error.what());  // so that the others say it too
    throw;
  }
}

}  // namespace lockstep::cli
