// SPDX-License-Identifier: Apache-2.0
// What a run of either world says about itself: one schema for predicted and measured
// (result.schema.json). Values only; files are read and written in result_json.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/conditions/conditions.h"
#include "models/results/recorder.h"
#include "models/topology/topology.h"
#include "models/training/job.h"
#include "models/training/time_to_accuracy.h"

namespace lockstep::results {

inline constexpr const char* kSchema = "lockstep.result/1";

enum class Origin : std::uint8_t { Predicted, Measured };

/// Of one figure over iterations. Seconds.
struct Distribution {
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
};

struct Summary {
  Distribution iteration_seconds;  // over measured iterations, mean over ranks
  /// Global batch ÷ mean iteration. Where ranks do not wait for each other (staleness): the sum
  /// over ranks of their share ÷ their mean iteration.
  double images_per_second = 0;
  std::optional<double> scaling_efficiency;  // against --baseline
  double compute_seconds = 0;                // per iteration, mean over ranks: compute lane busy
  double exposed_communication_seconds = 0;  // compute lane idle while communication is outstanding
  double wait_seconds = 0;                   // of which waiting for a slower rank
  std::uint64_t bytes_sent_per_rank = 0;     // payload, per iteration, the rank that sends most
  /// Predicted only: the mean iteration lies in it with 90 % probability, seconds.
  std::optional<std::pair<double, double>> interval_90;
  std::int32_t iterations = 0;  // measured ones
  /// Measured only: all iterations, the first ones too, without tests in between. Predicted, it is
  /// the job's iterations × the mean.
  std::optional<double> run_seconds{};
};

/// One gradient bucket, per iteration, mean over ranks and iterations.
struct BucketFigures {
  std::int32_t bucket = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;  // from its first step's start to its last step's end
};

struct LinkFigures {
  std::string name;
  std::uint64_t bytes = 0;  // payload, per iteration
  double utilisation = 0;   // share of its payload rate over the mean iteration
};

struct RankFigures {
  Rank rank = 0;
  std::string host;
  std::int32_t batch = 0;  // its share of the global batch
  double compute_seconds = 0;
  double exposed_communication_seconds = 0;
  double wait_seconds = 0;
  std::uint64_t bytes_sent = 0;  // payload, per iteration
};

/// Measured only.
struct Learning {
  std::vector<double> loss;             // of every iteration, mean over the global batch
  std::optional<double> test_accuracy;  // 0 … 1
  /// The gradient noise scale in images, smoothed, after every iteration: NaN while there is no
  /// estimate; empty if it was not asked for.
  std::vector<double> noise_scale{};
  std::vector<training::AccuracyPoint>
      curve{};  // on the test images; empty if it was not asked for
};

/// What was trained on and tested with. Measured only.
struct ImageFigures {
  std::int32_t train = 0;
  std::int32_t test = 0;
  std::vector<std::string> classes;        // by label; none where labels are only numbers
  double core_seconds_per_image = 0;       // processor time from file or memory to pixels
  std::int32_t skipped = 0;                // met, but their files could not be used
  std::vector<std::string> skipped_files;  // the first of them: "cat.3.jpg: is empty"
};
inline constexpr std::size_t kSkippedFilesListed = 10;

/// What a failure does to a job: predicted, when the conditions have one.
struct FailureFigures {
  std::int64_t iterations_before = 0;  // whole ones
  /// Before the next iteration comes nearer to its end: what was done of the lost one, detection,
  /// restart; or, if the job waits, by how much later all that follows happens; or, if it takes
  /// other routes, by how much later than if nothing had happened before the iterations after it.
  double lost_seconds = 0;
  std::optional<double> iteration_seconds_after{};  // mean; none when the job has ended
  std::int32_t ranks_after = 0;
};

/// A job among others on one network. Predicted only.
struct JobFigures {
  std::string network;
  std::int32_t ranks = 0;
  std::int32_t batch = 0;
  double iteration_seconds = 0;  // mean
  double alone_seconds = 0;      // the same without the others
};

struct Provenance {
  std::string version;
  std::string host;
  std::string time;  // ISO 8601, UTC
  std::uint64_t seed = 0;
};

/// Iterations with one batch, in the order in which they follow each other.
struct BatchFigures {
  std::int32_t first = 0;  // iteration, from the training's beginning
  std::int32_t batch = 0;  // images, all ranks together
  std::int32_t accumulate = 1;
};

struct Result {
  Origin origin = Origin::Predicted;
  training::Job job;
  topology::Topology topology;
  std::string machine_json;  // the machine file as used; "" where there was none
  Provenance provenance;
  conditions::Conditions conditions;  // predicted only
  Summary summary;
  std::optional<FailureFigures> failure;
  std::vector<JobFigures> jobs;  // when there are others; this one first
  std::vector<BucketFigures> buckets;
  std::vector<LinkFigures> links;
  std::vector<RankFigures> ranks;
  std::vector<BatchFigures> batches;  // where the batch grows; else empty
  std::optional<Learning> learning;
  std::optional<ImageFigures> images;
  std::string explanation_json;  // of an iteration (explanation.h), if it was asked for
};

/// The summary over measured iterations: iterations[r] are rank r's, warm-up already left out.
/// `bytes_sent[r]`: payload bytes rank r sends in one iteration. `batch`: images, the mean over the
/// iterations. `shares`: each rank's images of an iteration, if ranks do not wait for each other.
Summary summarise(std::span<const std::vector<IterationFigures>> iterations,
                  std::span<const std::uint64_t> bytes_sent, double batch,
                  std::span<const std::int32_t> shares = {});

/// One rank's line of a result: means over its iterations.
RankFigures rank_figures(Rank rank, const std::string& host, std::int32_t batch,
                         std::span<const IterationFigures> iterations,
                         std::uint64_t bytes_sent_per_iteration);

Result parse_result(const std::string& text, const std::string& where);
Result load_result(const std::string& path);
std::string to_json(const Result& result);

/// Writes beside, then renames, so that a reader never sees half a file. Throws ConfigError.
void write_file(const std::string& path, const std::string& content);

}  // namespace lockstep::results
