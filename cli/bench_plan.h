// SPDX-License-Identifier: Apache-2.0
// Which all-reduces lockstep bench allreduce times.
#pragma once

#include <vector>

#include "cli/bench_rows_json.h"
#include "cli/choose.h"
#include "cli/command_line.h"
#include "models/schedule/schedule.h"
#include "models/training/job.h"

namespace lockstep::cli {

/// --ranks, --sizes, --algorithm, --schedule and what else decides that.
void add_bench_plan_options(options::options_description& description);

/// What the flags say; the same on all ranks, but for files of schedules, which only the one that
/// decides reads.
class BenchPlan {
 public:
  /// `decides`: this process is rank 0, or its launcher. Throws ConfigError.
  BenchPlan(const options::variables_map& values, bool decides);

  /// For rank 0, before anything runs: chooses and predicts, if there is a machine file, and prints
  /// what --explain asks for. Throws ConfigError.
  std::vector<BenchCase> cases() const;
  /// Of a case, on any rank.
  schedule::Schedule schedule(const BenchCase& each) const;
  const training::Job& job() const { return job_; }
  const std::vector<HostId>& host_of_rank() const { return cluster_.host_of_rank; }

 private:
  void read_schedules(const options::variables_map& values);
  void read_algorithms(const options::variables_map& values);
  void read_segment(const options::variables_map& values);
  collectives::Operation operation(std::uint64_t bytes) const;
  BenchCase case_of(std::uint64_t bytes, collectives::Algorithm algorithm,
                    const std::vector<Candidate>& ranking) const;
  BenchCase case_of(std::uint64_t bytes, const std::string& program) const;
  double predict(const BenchCase& each) const;

  training::Job job_;
  Machines machines_;
  Cluster cluster_;
  std::vector<std::int32_t> groups_;
  std::vector<std::uint64_t> sizes_;
  std::vector<collectives::Algorithm> algorithms_;
  std::vector<std::string> programs_;  // MSCCL files' texts
  bool chooses_ = false;
  bool explains_ = false;
  std::int64_t segment_bytes_ = -1;  // −1: open
};

}  // namespace lockstep::cli
