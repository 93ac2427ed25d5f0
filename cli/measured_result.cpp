// SPDX-License-Identifier: Apache-2.0
#include "cli/measured_result.h"

#include <algorithm>
#include <map>

#include "cli/prediction.h"
#include "models/topology/routes.h"

namespace lockstep::cli {

using exec::RankRecord;

std::int32_t warm_up_iterations(std::int32_t iterations) {
  return std::min(5, iterations / 5);
}

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

namespace {

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

}  // namespace

results::Result result_of(const ResolvedJob& resolved, const std::vector<exec::Peer>& peers,
                          const std::vector<RankRecord>& records, std::int32_t iterations_done) {
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
  training::Job measured = resolved.job;
  measured.iterations -= static_cast<std::int32_t>(warm_up);
  result.summary = results::summarise(
      iterations, bytes_sent,
      training::mean_batch(measured, iterations_done + static_cast<std::int32_t>(warm_up)),
      resolved.independent_shares());
  double run_seconds = 0;
  for (const RankRecord& record : records)
    for (const results::IterationFigures& iteration : record.figures)
      run_seconds += iteration.duration().seconds() / static_cast<double>(records.size());
  result.summary.run_seconds = run_seconds;
  result.batches = batch_figures(resolved.job, iterations_done);
  result.buckets = bucket_figures(records, resolved.iteration, warm_up);
  result.links = link_figures(records, resolved, result.summary.iteration_seconds.mean);
  for (std::size_t rank = 0; rank < records.size(); ++rank)
    result.ranks.push_back(results::rank_figures(static_cast<Rank>(rank), peers[rank].host,
                                                 batches[rank], iterations[rank],
                                                 bytes_sent[rank]));
  return result;
}

}  // namespace lockstep::cli
