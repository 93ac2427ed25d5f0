// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_plan.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "cli/schedule_source.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"
#include "models/base/units.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"
#include "models/schedule/verify.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

constexpr std::uint64_t kFloatBytes = 4;
constexpr std::uint64_t kUsualSegment = 256 << 10;
constexpr const char* kUsualSizes = "1KiB,64KiB,1MiB,16MiB,100MB";

/// Flags that mean what they mean for a job.
constexpr const char* kJobFlags[] = {"ranks",   "topology", "placement", "group-by",
                                     "servers", "streams",  "intra-host"};

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    list.push_back(word);
  return list;
}

std::string text_of(const options::variables_map& values, const std::string& flag,
                    const std::string& fallback) {
  return values.count(flag) ? values[flag].as<std::string>() : fallback;
}

training::Job read_bench_job(const options::variables_map& values) {
  training::Job job;
  job.ranks = 2;
  for (const std::string flag : kJobFlags) {
    if (!values.count(flag)) continue;
    std::string key = flag;
    std::replace(key.begin(), key.end(), '-', '_');
    training::set_field(job, key, values[flag].as<std::string>(), "--" + flag);
  }
  return job;
}

std::vector<std::uint64_t> read_sizes(const options::variables_map& values) {
  std::vector<std::uint64_t> sizes;
  for (const std::string& word : words(text_of(values, "sizes", kUsualSizes))) {
    sizes.push_back(parse_bytes(word, "--sizes"));
    if (sizes.back() % kFloatBytes != 0)
      throw ConfigError("--sizes", "expected whole floats of 4 bytes, is " + word);
  }
  if (sizes.empty()) throw ConfigError("--sizes", "expected at least one size");
  return sizes;
}

/// What another rank sent, or this one read and checked already.
msccl::Program parse_sent(const std::string& program) {
  return msccl::parse_program(program, "the schedule");
}

}  // namespace

void add_bench_plan_options(options::options_description& description) {
  auto add = description.add_options();
  add("help", "this text");
  add("ranks", options::value<std::string>(), "processes (default 2, or a schedule's)");
  add("sizes", options::value<std::string>(),
      "bytes of the data, separated by commas (default 1KiB,64KiB,1MiB,16MiB,100MB)");
  add("algorithm", options::value<std::string>(),
      "separated by commas; all; or auto: the fastest predicted (default auto with --machine, else "
      "all; none with --schedule)");
  add("schedule", options::value<std::string>(),
      "MSCCL files of all-reduces, separated by commas; proven before they run");
  add("segment-bytes", options::value<std::string>(),
      "largest message (0 = a whole chunk); auto: the fastest predicted (default auto with "
      "--machine, else 256 KiB)");
  add("servers", options::value<std::string>(), "of the parameter server (default 0 = all ranks)");
  add("group-by", options::value<std::string>(),
      "groups of the hierarchical algorithm: host, rack, or so many consecutive ranks");
  add("streams", options::value<std::string>(),
      "parts of the data that are reduced side by side, on connections of their own (default 1)");
  add("intra-host", options::value<std::string>(),
      "messages between ranks of one host: tcp (default), unix or shm");
  add("topology", options::value<std::string>(), "where the ranks are (default one_host)");
  add("placement", options::value<std::string>(), "ranks on hosts: packed or scattered");
  add("machine", options::value<std::vector<std::string>>()->composing(),
      "[KIND=]FILE: machine file, from lockstep calibrate");
  add("explain", "print all candidates with predicted times and what dominates each");
}

BenchPlan::BenchPlan(const options::variables_map& values, bool decides)
    : job_(read_bench_job(values)), machines_(read_machines(values)), sizes_(read_sizes(values)) {
  if (decides && values.count("schedule")) read_schedules(values);
  cluster_.topology = topology::load_topology(job_.topology);
  cluster_.host_of_rank =
      topology::place(cluster_.topology, job_.ranks, job_.placement, "--placement");
  cluster_.intra_host = job_.intra_host;
  cluster_.machines = &machines_;
  groups_ = topology::group_ranks(cluster_.topology, cluster_.host_of_rank, job_.group_by);
  read_algorithms(values);
  read_segment(values);
  explains_ = values.count("explain") > 0;
  if (explains_ && machines_.empty())
    throw ConfigError("--explain", "expected --machine FILE to predict with");
}

void BenchPlan::read_schedules(const options::variables_map& values) {
  for (const std::string& path : words(values["schedule"].as<std::string>())) {
    if (!is_xml(path))
      throw ConfigError("--schedule", path +
                                          ": expected MSCCL's XML; lockstep schedule convert "
                                          "makes it");
    const msccl::Program program = msccl::load_program(path);
    if (program.collective != schedule::Collective::AllReduce)
      throw ConfigError(path, "expected an all-reduce, is " + name_of(program.collective));
    if (!values.count("ranks") && programs_.empty()) job_.ranks = program.ranks();
    if (program.ranks() != job_.ranks)
      throw ConfigError(path, "is for " + std::to_string(program.ranks()) + " ranks, not for " +
                                  std::to_string(job_.ranks));
    for (const std::uint64_t bytes : sizes_) {
      const std::uint64_t count = bytes / kFloatBytes;
      const auto violations = schedule::verify(msccl::make_schedule(program, count),
                                               msccl::contract_of(program, count));
      if (!violations.empty())
        throw ConfigError(path, "is no all-reduce: " + violations.front().message);
    }
    programs_.push_back(read_text(path));
  }
}

void BenchPlan::read_algorithms(const options::variables_map& values) {
  const std::string usual = values.count("schedule") ? "" : machines_.empty() ? "all" : "auto";
  for (const std::string& word : words(text_of(values, "algorithm", usual))) {
    if (word == "auto")
      chooses_ = true;
    else if (word == "all")
      algorithms_ = collectives::all_algorithms();
    else
      algorithms_.push_back(collectives::parse_algorithm(word, "--algorithm"));
  }
  if (chooses_ && machines_.empty())
    throw ConfigError("--algorithm",
                      "auto needs --machine FILE to predict with; lockstep calibrate writes one");
}

void BenchPlan::read_segment(const options::variables_map& values) {
  const std::string text = text_of(values, "segment-bytes", "");
  if (text == "auto" && machines_.empty())
    throw ConfigError("--segment-bytes", "auto needs --machine FILE to predict with");
  if (!text.empty() && text != "auto")
    segment_bytes_ = static_cast<std::int64_t>(parse_bytes(text, "--segment-bytes"));
  else
    segment_bytes_ = machines_.empty() ? static_cast<std::int64_t>(kUsualSegment) : -1;
}

collectives::Operation BenchPlan::operation(std::uint64_t bytes) const {
  return {
      .ranks = job_.ranks, .data = {0, 0, bytes / kFloatBytes}, .scratch = {}, .groups = groups_};
}

schedule::Schedule BenchPlan::schedule(const BenchCase& each) const {
  if (!each.program.empty())
    return msccl::make_schedule(parse_sent(each.program), each.bytes / kFloatBytes);
  return collectives::make_schedule(
      each.choice.algorithm, collectives::with(operation(each.bytes), each.choice), job_.streams);
}

double BenchPlan::predict(const BenchCase& each) const {
  return machines_.empty() ? 0 : predict_collective(schedule(each), cluster_).seconds;
}

/// An algorithm that was asked for: with the best of its candidates, if there is a choice.
BenchCase BenchPlan::case_of(std::uint64_t bytes, collectives::Algorithm algorithm,
                             const std::vector<Candidate>& ranking) const {
  for (const Candidate& candidate : ranking)
    if (candidate.choice.algorithm == algorithm && segment_bytes_ < 0 &&
        (candidate.choice.servers == job_.servers || job_.servers == 0))
      return {bytes, candidate.choice, false, candidate.seconds, "", ""};
  const std::uint64_t segment =
      segment_bytes_ < 0 ? kUsualSegment : static_cast<std::uint64_t>(segment_bytes_);
  BenchCase fixed{bytes, {algorithm, segment, job_.servers}, false, 0, "", ""};
  fixed.predicted_seconds = predict(fixed);
  return fixed;
}

BenchCase BenchPlan::case_of(std::uint64_t bytes, const std::string& program) const {
  BenchCase each{bytes, {}, false, 0, parse_sent(program).name, program};
  each.predicted_seconds = predict(each);
  return each;
}

std::vector<BenchCase> BenchPlan::cases() const {
  std::vector<BenchCase> cases;
  for (const std::uint64_t bytes : sizes_) {
    std::vector<Candidate> ranking;
    if (chooses_ || explains_ || (segment_bytes_ < 0 && !algorithms_.empty())) {
      ranking = rank_candidates(operation(bytes), segment_bytes_, cluster_, job_.streams);
      if (explains_) {
        std::printf("%s, %d ranks\n", format_bytes(static_cast<double>(bytes)).c_str(), job_.ranks);
        explain(ranking);
      }
    }
    if (chooses_)
      cases.push_back({bytes, ranking.front().choice, true, ranking.front().seconds, "", ""});
    for (const collectives::Algorithm algorithm : algorithms_)
      cases.push_back(case_of(bytes, algorithm, ranking));
    for (const std::string& program : programs_)
      cases.push_back(case_of(bytes, program));
  }
  return cases;
}

}  // namespace lockstep::cli
