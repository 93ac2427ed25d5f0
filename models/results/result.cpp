// SPDX-License-Identifier: Apache-2.0
#include "models/results/result.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <system_error>

#include "models/base/errors.h"
#include "models/results/percentile.h"

namespace lockstep::results {

namespace {

double mean(const std::vector<double>& samples) {
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

Distribution distribution(const std::vector<double>& samples) {
  return {mean(samples), percentile(samples, 0.5), percentile(samples, 0.95)};
}

}  // namespace

namespace {

/// Of ranks that each go at a rate of their own: `share` images an iteration.
double sum_of_rates(std::span<const std::vector<IterationFigures>> iterations,
                    std::span<const std::int32_t> shares) {
  double rate = 0;
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    Time taken;
    for (const IterationFigures& iteration : iterations[rank])
      taken += iteration.duration();
    const double images = static_cast<double>(iterations[rank].size()) * shares[rank];
    if (taken > Time{}) rate += images / taken.seconds();
  }
  return rate;
}

}  // namespace

Summary summarise(std::span<const std::vector<IterationFigures>> iterations,
                  std::span<const std::uint64_t> bytes_sent, double batch,
                  std::span<const std::int32_t> shares) {
  Summary summary;
  if (!bytes_sent.empty())
    summary.bytes_sent_per_rank = *std::max_element(bytes_sent.begin(), bytes_sent.end());
  const std::size_t count = iterations.empty() ? 0 : iterations.front().size();
  summary.iterations = static_cast<std::int32_t>(count);
  if (count == 0) return summary;

  std::vector<double> seconds(count);  // of each iteration, the sum over ranks
  for (const std::vector<IterationFigures>& of_rank : iterations) {
    LOCKSTEP_CHECK(of_rank.size() == count, "ranks with " + std::to_string(count) + " and " +
                                                std::to_string(of_rank.size()) + " iterations");
    for (std::size_t i = 0; i < count; ++i) {
      seconds[i] += of_rank[i].duration().seconds();
      summary.compute_seconds += of_rank[i].compute.seconds();
      summary.exposed_communication_seconds += of_rank[i].exposed.seconds();
      summary.wait_seconds += of_rank[i].waiting.seconds();
    }
  }
  const auto ranks = static_cast<double>(iterations.size());
  for (double& sum : seconds)
    sum /= ranks;
  const double samples = ranks * static_cast<double>(count);
  summary.iteration_seconds = distribution(seconds);
  summary.compute_seconds /= samples;
  summary.exposed_communication_seconds /= samples;
  summary.wait_seconds /= samples;
  if (summary.iteration_seconds.mean > 0)
    summary.images_per_second =
        shares.empty() ? batch / summary.iteration_seconds.mean : sum_of_rates(iterations, shares);
  return summary;
}

RankFigures rank_figures(Rank rank, const std::string& host, std::int32_t batch,
                         std::span<const IterationFigures> iterations,
                         std::uint64_t bytes_sent_per_iteration) {
  RankFigures figures{.rank = rank, .host = host, .batch = batch};
  figures.bytes_sent = bytes_sent_per_iteration;
  for (const IterationFigures& iteration : iterations) {
    figures.compute_seconds += iteration.compute.seconds();
    figures.exposed_communication_seconds += iteration.exposed.seconds();
    figures.wait_seconds += iteration.waiting.seconds();
  }
  const double count = std::max<double>(1, static_cast<double>(iterations.size()));
  figures.compute_seconds /= count;
  figures.exposed_communication_seconds /= count;
  figures.wait_seconds /= count;
  return figures;
}

namespace {

void write_stream(const std::filesystem::path& path, const std::string& content,
                  const std::string& named) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) throw ConfigError(named, "cannot be opened for writing");
  file << content;
  file.close();
  if (file.fail()) throw ConfigError(named, "cannot be written (is the disk full?)");
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) throw ConfigError(path, "is a folder, expected a file");
  // A device or a pipe (/dev/stdout) must not be replaced by a file.
  if (fs::exists(status) && !fs::is_regular_file(status)) return write_stream(path, content, path);
  // A link goes on being one: what it leads to is replaced.
  const fs::path target = fs::exists(status) ? fs::canonical(path, error) : fs::path(path);
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error))
    throw ConfigError(path, "the folder \"" + folder.string() + "\" does not exist");

  const fs::path beside = target.string() + ".part";
  try {
    write_stream(beside, content, path);
  } catch (const ConfigError&) {
    fs::remove(beside, error);
    throw;
  }
  fs::rename(beside, target, error);
  if (error) {
    const std::string reason = error.message();
    fs::remove(beside, error);
    throw ConfigError(path, "cannot be replaced: " + reason);
  }
}

}  // namespace lockstep::results
