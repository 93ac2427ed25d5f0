// SPDX-License-Identifier: Apache-2.0
#include "cli/training_run.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "cli/envelope_json.h"
#include "cli/learning.h"
#include "cli/measured_result.h"
#include "cli/pause.h"
#include "cli/progress_line.h"
#include "exec/launch/binding.h"
#include "exec/runner/executor.h"
#include "exec/training/checkpoint.h"
#include "exec/training/rank_record.h"
#include "exec/training/replica.h"
#include "exec/transport/wire.h"
#include "models/base/errors.h"
#include "models/schedule/verify.h"

namespace lockstep::cli {

namespace {

using exec::RankRecord;
using exec::Session;

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
  for (const training::Iteration::Claim& claim : iteration.claims()) {
    const std::vector<schedule::Violation> violations =
        schedule::verify(claim.schedule, claim.contract);
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
  exec::check_fits(data, resolved.network, training::largest_batch(job));
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

double last_or_zero(const std::vector<double>& values) {
  return values.empty() ? 0 : values.back();
}

/// The iterations up to the next pause, at `end` at the latest, once `done` are done.
std::int32_t until_pause(const Envelope& envelope, std::int32_t done, std::int32_t end) {
  for (const std::int32_t every : {envelope.test_every, envelope.checkpoint_every})
    if (every > 0) end = std::min(end, (done / every + 1) * every);
  return end - done;
}

/// Whether the ranks' parameters are to be compared after an iteration. Of those at which this is
/// due, it is the next one behind which they are alike.
bool compares_replicas(const Envelope& envelope, std::int32_t iteration) {
  const training::Job& job = envelope.job;
  const std::int32_t done = iteration + 1, every = envelope.replica_check;
  if (every == 0 || training::parameters_differ(job, envelope.iterations_done + done)) return false;
  const std::int32_t since =
      training::is_local(job, envelope.iterations_done + iteration) ? job.local_steps : 1;
  return done <= since || done == job.iterations || done / every > (done - since) / every;
}

/// A rank's part in iterations of one batch.
struct Part {
  const training::Phase& phase;
  const ResolvedJob& resolved;
  exec::Replica& replica;
  Pause& pause;
};

/// Trains one phase, and adds it to the record; after the last one, classifies this rank's share of
/// the test images. `off_the_clock`: payload that pauses of phases before have sent.
void run_phase(Session& session, const TrainingOptions& options, const Envelope& envelope,
               const Part& part, const std::vector<std::uint64_t>& off_the_clock,
               RankRecord& record) {
  const schedule::Schedule& schedule = part.resolved.iteration.schedule;
  exec::Replica& replica = part.replica;
  const std::int32_t before = part.phase.first - envelope.iterations_done;
  const std::int32_t end = before + part.phase.iterations;
  const bool is_traced = before == 0;  // fragments of another phase may have other numbers
  session.connect(exec::peers_of(schedule, session.rank()));
  exec::Executor executor(session, schedule, replica,
                          {.may_poll = may_poll(session, envelope.job.threads),
                           .first_iteration = part.phase.first,
                           .trace_first = envelope.trace_first,
                           .trace_end = is_traced ? envelope.trace_end : 0});
  const auto report = [&](std::int32_t in_phase, const results::IterationFigures& figures) {
    const std::int32_t iteration = before + in_phase;
    session.report({.iteration = iteration,
                    .images = replica.share(),
                    .loss = replica.loss_sums().back(),
                    .part_squares = last_or_zero(replica.part_squares()),
                    .whole_square = last_or_zero(replica.whole_squares()),
                    .seconds = figures.duration().seconds(),
                    .exposed_seconds = figures.exposed.seconds()});
    if (compares_replicas(envelope, iteration)) session.check_replica(iteration, replica.hash());
  };
  session.barrier();
  for (std::int32_t done = before; done < end;) {
    const std::int32_t next = until_pause(envelope, done, end);
    executor.run(next, report);
    record.bytes_sent = executor.bytes_sent();
    for (const std::vector<std::uint64_t>* bytes : {&off_the_clock, &part.pause.bytes_sent()})
      for (std::size_t rank = 0; rank < bytes->size(); ++rank)
        record.bytes_sent[rank] -= (*bytes)[rank];
    done += next;
    const auto is_due = [&](std::int32_t every) { return every > 0 && done % every == 0; };
    const std::int32_t of_training = envelope.iterations_done + done;
    if (is_due(envelope.test_every)) {
      const exec::Classified now = part.pause.test(of_training);
      record.curve.push_back(static_cast<std::uint64_t>(now.tested));
      record.curve.push_back(static_cast<std::uint64_t>(now.correct));
    }
    if (envelope.checkpoint_every != kNoCheckpoints &&
        (done == envelope.job.iterations || is_due(envelope.checkpoint_every)))
      part.pause.save(options.checkpoint, of_training);
    if (done < end) session.barrier();  // nobody waits for another's pause in an iteration
  }

  const auto append = [](const auto& more, auto& all) {
    all.insert(all.end(), more.begin(), more.end());
  };
  append(executor.figures(), record.figures);
  append(replica.loss_sums(), record.loss_sums);
  append(replica.part_squares(), record.part_squares);
  append(replica.whole_squares(), record.whole_squares);
  append(executor.bucket_times(), record.bucket_times);
  append(executor.trace(), record.spans);
  const exec::Loader::Cost input = replica.input_cost();
  record.images_read += input.images;
  record.input_core_seconds += input.core_seconds;
  if (end < envelope.job.iterations) return;
  const exec::Classified classified = part.pause.test(envelope.iterations_done + end);
  record.tested = classified.tested;
  record.correct = classified.correct;
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
  if (resolved.job.staleness) std::ranges::copy(replica.parameters(), replica.averages().begin());
  if (const std::size_t floats = replica.own_memory(done).size(); done > 0 && floats > 0)
    replica.set_own_memory(done, exec::load_own_memory(options.resume, resolved.job, rank, floats));
  if (done != envelope.iterations_done)
    throw ConfigError(
        "--resume", "rank 0 goes on after " + std::to_string(envelope.iterations_done) +
                        " iterations, the checkpoint given here is after " + std::to_string(done));
}

struct Trained {
  RankRecord record;
  std::vector<float> model;
};

/// Trains phase after phase; each goes on from what the one before it has learnt.
Trained train_phases(Session& session, const TrainingOptions& options, const Envelope& envelope,
                     const ResolvedJob& whole, const exec::Dataset& data) {
  const std::vector<training::Phase> phases =
      training::phases_of(whole.job, envelope.iterations_done);
  std::vector<ResolvedJob> resolved;
  std::size_t exchanged = 0;
  for (const training::Phase& phase : phases) {
    resolved.push_back(resolve(phase.job, whole.network, whole.topology));
    if (session.rank() == 0) prove(resolved.back().iteration);
    exchanged = std::max(exchanged,
                         exec::Replica::exchanged_floats(whole.network, resolved.back().iteration));
  }
  const std::span<std::byte> memory = session.allocate(exchanged * sizeof(float));
  Trained trained;
  trained.record.bytes_sent.resize(static_cast<std::size_t>(session.ranks()));
  std::vector<std::uint64_t> off_the_clock(trained.record.bytes_sent.size());
  std::vector<float> parameters, state, own;  // as the phase before leaves them
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const std::int32_t first = phases[i].first;
    std::ranges::fill(memory, std::byte{});
    exec::Replica replica(phases[i].job, whole.network, resolved[i].iteration, data, session.rank(),
                          first, {reinterpret_cast<float*>(memory.data()), exchanged},
                          {first, training::place_of(whole.job, data.train->count(), first)});
    if (i == 0) {
      start(options, envelope, whole, session.rank(), replica);
    } else {
      std::ranges::copy(parameters, replica.parameters().begin());
      std::ranges::copy(state, replica.optimizer_state().begin());
      replica.set_own_memory(first, own);
    }
    Pause pause(session, whole.job, resolved[i], data, replica);
    run_phase(session, options, envelope, {phases[i], resolved[i], replica, pause}, off_the_clock,
              trained.record);
    const std::int32_t end = first + phases[i].iterations;
    if (i + 1 == phases.size()) {
      const std::span<const float> model = pause.model(end);
      trained.model.assign(model.begin(), model.end());
    }
    for (std::size_t rank = 0; rank < pause.bytes_sent().size(); ++rank)
      off_the_clock[rank] += pause.bytes_sent()[rank];
    parameters.assign(replica.parameters().begin(), replica.parameters().end());
    state.assign(replica.optimizer_state().begin(), replica.optimizer_state().end());
    own = replica.own_memory(end);
    session.barrier();  // nobody reads this memory any more
  }
  trained.record.faults = data.faults();
  return trained;
}

/// All that happens between the rendezvous and the end.
std::optional<TrainingOutcome> train_in(Session& session, const TrainingOptions& options,
                                        std::optional<ResolvedTraining> own) {
  const Envelope envelope = parse_envelope(session.resolved_job());
  const ResolvedJob resolved = resolve(envelope.job, envelope.network, envelope.topology);
  const bool is_first = session.rank() == 0;
  exec::Dataset data = own ? std::move(own->data) : open_images(options, envelope, resolved);
  prepare_images(data, envelope, session.rank());
  if (options.bind) exec::bind_to_share(session, resolved.job.threads);
  ProgressLine line(resolved.job, options.predicted_seconds, envelope.iterations_done);
  if (is_first)
    session.on_report(
        [&line](Rank rank, const exec::IterationReport& report) { line.report(rank, report); });
  const Trained trained = train_phases(session, options, envelope, resolved, data);
  const RankRecord& record = trained.record;
  const std::vector<std::string> blobs = session.gather(exec::encode(record));
  std::optional<TrainingOutcome> outcome;
  if (is_first) {
    line.finish();
    std::vector<RankRecord> records;
    for (const std::string& blob : blobs)
      records.push_back(exec::decode_record(blob));
    outcome.emplace();
    outcome->faults = faults_of(records);
    outcome->result = result_of(resolved, session.peers(), records, envelope.iterations_done);
    outcome->result.learning =
        learning_of(records, resolved.job, envelope.test_every, envelope.iterations_done);
    outcome->result.images = image_figures(records, outcome->faults, data);
    for (const RankRecord& each : records)
      outcome->spans.insert(outcome->spans.end(), each.spans.begin(), each.spans.end());
    if (!options.save_parameters.empty())
      exec::save_parameters(options.save_parameters, resolved.network, trained.model);
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
