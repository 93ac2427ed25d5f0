// SPDX-License-Identifier: Apache-2.0
#include "models/results/result_json.h"

#include <limits>
#include <utility>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/training/job_json.h"

namespace lockstep::results {

std::string name_of(Origin origin) {
  switch (origin) {
    case Origin::Predicted:
      return "predicted";
    case Origin::Measured:
      return "measured";
  }
  return "";
}

namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

Json json_of(const Distribution& figure) {
  return {{"mean", figure.mean}, {"p50", figure.p50}, {"p95", figure.p95}};
}

Json json_of(const Summary& summary) {
  Json json{{"iteration_seconds", json_of(summary.iteration_seconds)},
            {"images_per_second", summary.images_per_second},
            {"scaling_efficiency", nullptr},
            {"compute_seconds", summary.compute_seconds},
            {"exposed_communication_seconds", summary.exposed_communication_seconds},
            {"wait_seconds", summary.wait_seconds},
            {"bytes_sent_per_rank", summary.bytes_sent_per_rank}};
  if (summary.scaling_efficiency) json["scaling_efficiency"] = *summary.scaling_efficiency;
  if (summary.interval_90)
    json["interval_90"] = Json::array({summary.interval_90->first, summary.interval_90->second});
  json["iterations"] = summary.iterations;
  if (summary.run_seconds) json["run_seconds"] = *summary.run_seconds;
  return json;
}

Json json_of(const JobFigures& job) {
  return {{"network", job.network},
          {"ranks", job.ranks},
          {"batch", job.batch},
          {"iteration_seconds", job.iteration_seconds},
          {"alone_seconds", job.alone_seconds}};
}

Json json_of(const FailureFigures& failure) {
  Json json{{"iterations_before", failure.iterations_before},
            {"lost_seconds", failure.lost_seconds},
            {"iteration_seconds_after", nullptr},
            {"ranks_after", failure.ranks_after}};
  if (failure.iteration_seconds_after)
    json["iteration_seconds_after"] = *failure.iteration_seconds_after;
  return json;
}

Json json_of(const BucketFigures& bucket) {
  return {{"bucket", bucket.bucket}, {"bytes", bucket.bytes}, {"seconds", bucket.seconds}};
}

Json json_of(const LinkFigures& link) {
  return {{"name", link.name}, {"bytes", link.bytes}, {"utilisation", link.utilisation}};
}

Json json_of(const RankFigures& rank) {
  return {{"rank", rank.rank},
          {"host", rank.host},
          {"batch", rank.batch},
          {"compute_seconds", rank.compute_seconds},
          {"exposed_communication_seconds", rank.exposed_communication_seconds},
          {"wait_seconds", rank.wait_seconds},
          {"bytes_sent", rank.bytes_sent}};
}

Json json_of(const BatchFigures& batch) {
  return {
      {"first_iteration", batch.first}, {"batch", batch.batch}, {"accumulate", batch.accumulate}};
}

Json json_of(const Learning& learning) {
  Json json{{"loss", learning.loss}, {"test_accuracy", nullptr}};
  if (learning.loss.empty()) json["loss"] = Json::array();
  if (learning.test_accuracy) json["test_accuracy"] = *learning.test_accuracy;
  if (!learning.noise_scale.empty()) json["noise_scale"] = learning.noise_scale;
  for (const training::AccuracyPoint& point : learning.curve)
    json["curve"].push_back({{"iterations", point.iterations}, {"accuracy", point.accuracy}});
  return json;
}

Json list_of(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts)
    list.push_back(text);
  return list;
}

Json json_of(const ImageFigures& images) {
  return {{"train", images.train},
          {"test", images.test},
          {"classes", list_of(images.classes)},
          {"core_seconds_per_image", images.core_seconds_per_image},
          {"skipped", images.skipped},
          {"skipped_files", list_of(images.skipped_files)}};
}

template <typename Figures>
Json list_of(const std::vector<Figures>& figures) {
  Json list = Json::array();
  for (const Figures& figure : figures)
    list.push_back(json_of(figure));
  return list;
}

}  // namespace

std::string to_json(const Result& result) {
  Json json{{"schema", kSchema}, {"origin", name_of(result.origin)}};
  json["job"] = Json::parse(training::to_json(result.job));
  json["topology"] = Json::parse(topology::to_json(result.topology));
  json["machine"] =
      result.machine_json.empty() ? Json() : parse_json(result.machine_json, "the machine file");
  json["provenance"] = {{"version", result.provenance.version},
                        {"host", result.provenance.host},
                        {"time", result.provenance.time},
                        {"seed", result.provenance.seed}};
  if (!result.conditions.is_empty())
    json["conditions"] = Json::parse(conditions::to_json(result.conditions, result.topology));
  json["summary"] = json_of(result.summary);
  if (result.failure) json["failure"] = json_of(*result.failure);
  if (!result.jobs.empty()) json["jobs"] = list_of(result.jobs);
  json["buckets"] = list_of(result.buckets);
  json["links"] = list_of(result.links);
  json["ranks"] = list_of(result.ranks);
  if (!result.batches.empty()) json["batches"] = list_of(result.batches);
  if (result.learning) json["learning"] = json_of(*result.learning);
  if (result.images) json["images"] = json_of(*result.images);
  if (!result.explanation_json.empty()) json["explanation"] = Json::parse(result.explanation_json);
  return to_text(json);
}

namespace {

/// A figure that cannot be negative: seconds, a rate, a share.
double amount(const ObjectReader& reader, const std::string& key) {
  return reader.number(key, 0, kLargest);
}

/// null or a figure within 0 … high.
std::optional<double> optional_amount(const ObjectReader& reader, const std::string& key,
                                      double high) {
  if (reader.value(key).is_null()) return std::nullopt;
  return reader.number(key, 0, high);
}

Origin read_origin(const ObjectReader& reader) {
  const std::string name = reader.text("origin");
  for (const Origin origin : {Origin::Predicted, Origin::Measured})
    if (name == name_of(origin)) return origin;
  throw ConfigError(reader.place("origin"), "must be predicted or measured, is \"" + name + "\"");
}

Summary read_summary(const ObjectReader& reader) {
  Summary summary;
  const ObjectReader iteration = reader.object("iteration_seconds", {"mean", "p50", "p95"});
  summary.iteration_seconds = {amount(iteration, "mean"), amount(iteration, "p50"),
                               amount(iteration, "p95")};
  summary.images_per_second = amount(reader, "images_per_second");
  summary.scaling_efficiency = optional_amount(reader, "scaling_efficiency", kLargest);
  summary.compute_seconds = amount(reader, "compute_seconds");
  summary.exposed_communication_seconds = amount(reader, "exposed_communication_seconds");
  summary.wait_seconds = amount(reader, "wait_seconds");
  summary.bytes_sent_per_rank = reader.integer<std::uint64_t>("bytes_sent_per_rank");
  if (reader.has("interval_90")) {
    const std::vector<double> bounds = reader.numbers("interval_90");
    if (bounds.size() != 2 || !(0 <= bounds[0] && bounds[0] <= bounds[1]))
      throw ConfigError(reader.place("interval_90"), "must be [low, high] in seconds");
    summary.interval_90.emplace(bounds[0], bounds[1]);
  }
  summary.iterations = reader.integer<std::int32_t>("iterations");
  if (reader.has("run_seconds")) summary.run_seconds = amount(reader, "run_seconds");
  return summary;
}

FailureFigures read_failure(const ObjectReader& reader) {
  return {.iterations_before = reader.integer<std::int64_t>("iterations_before"),
          .lost_seconds = amount(reader, "lost_seconds"),
          .iteration_seconds_after = optional_amount(reader, "iteration_seconds_after", kLargest),
          .ranks_after = reader.integer<std::int32_t>("ranks_after")};
}

RankFigures read_rank(const ObjectReader& reader) {
  RankFigures rank;
  rank.rank = reader.integer<Rank>("rank");
  rank.host = reader.text("host");
  rank.batch = reader.integer<std::int32_t>("batch");
  rank.compute_seconds = amount(reader, "compute_seconds");
  rank.exposed_communication_seconds = amount(reader, "exposed_communication_seconds");
  rank.wait_seconds = amount(reader, "wait_seconds");
  rank.bytes_sent = reader.integer<std::uint64_t>("bytes_sent");
  return rank;
}

ImageFigures read_images(const ObjectReader& reader) {
  return {.train = reader.integer<std::int32_t>("train"),
          .test = reader.integer<std::int32_t>("test"),
          .classes = reader.texts("classes"),
          .core_seconds_per_image = amount(reader, "core_seconds_per_image"),
          .skipped = reader.integer<std::int32_t>("skipped"),
          .skipped_files = reader.texts("skipped_files")};
}

void read_lists(const ObjectReader& reader, Result& result) {
  for (const ObjectReader& bucket : reader.objects("buckets", {"bucket", "bytes", "seconds"}))
    result.buckets.push_back({bucket.integer<std::int32_t>("bucket"),
                              bucket.integer<std::uint64_t>("bytes"), amount(bucket, "seconds")});
  for (const ObjectReader& link : reader.objects("links", {"name", "bytes", "utilisation"}))
    result.links.push_back(
        {link.text("name"), link.integer<std::uint64_t>("bytes"), amount(link, "utilisation")});
  for (const ObjectReader& rank :
       reader.objects("ranks", {"rank", "host", "batch", "compute_seconds",
                                "exposed_communication_seconds", "wait_seconds", "bytes_sent"}))
    result.ranks.push_back(read_rank(rank));
  if (reader.has("jobs"))
    for (const ObjectReader& job : reader.objects(
             "jobs", {"network", "ranks", "batch", "iteration_seconds", "alone_seconds"}))
      result.jobs.push_back({job.text("network"), job.integer<std::int32_t>("ranks"),
                             job.integer<std::int32_t>("batch"), amount(job, "iteration_seconds"),
                             amount(job, "alone_seconds")});
  if (!reader.has("batches")) return;
  for (const ObjectReader& batch :
       reader.objects("batches", {"first_iteration", "batch", "accumulate"}))
    result.batches.push_back({batch.integer<std::int32_t>("first_iteration"),
                              batch.integer<std::int32_t>("batch"),
                              batch.integer<std::int32_t>("accumulate")});
}

}  // namespace

Result parse_result(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  if (json.is_object() && json.value("schema", Json()) != kSchema)
    throw ConfigError(where,
                      "is not a result file (\"schema\" must be \"" + std::string(kSchema) + "\")");
  const ObjectReader reader(json, where, "",
                            {"schema", "origin", "job", "topology", "machine", "provenance",
                             "conditions", "summary", "failure", "jobs", "buckets", "links",
                             "ranks", "batches", "learning", "images", "explanation"});
  Result result;
  result.origin = read_origin(reader);
  result.job = training::parse_job(text, where);
  result.topology =
      topology::parse_topology(reader.value("topology").dump(), reader.place("topology"));
  const Json& machine = reader.value("machine");
  if (!machine.is_null()) result.machine_json = to_text(machine);
  const ObjectReader provenance = reader.object("provenance", {"version", "host", "time", "seed"});
  result.provenance = {provenance.text("version"), provenance.text("host"), provenance.text("time"),
                       provenance.integer<std::uint64_t>("seed")};
  result.summary = read_summary(reader.object(
      "summary", {"iteration_seconds", "images_per_second", "scaling_efficiency", "compute_seconds",
                  "exposed_communication_seconds", "wait_seconds", "bytes_sent_per_rank",
                  "interval_90", "iterations", "run_seconds"}));
  if (reader.has("conditions"))
    result.conditions = conditions::parse_conditions(text, where, result.topology, result.job.ranks,
                                                     result.job.batch);
  if (reader.has("failure"))
    result.failure =
        read_failure(reader.object("failure", {"iterations_before", "lost_seconds",
                                               "iteration_seconds_after", "ranks_after"}));
  read_lists(reader, result);
  if (reader.has("learning")) {
    const ObjectReader learning =
        reader.object("learning", {"loss", "test_accuracy", "noise_scale", "curve"});
    result.learning =
        Learning{learning.numbers("loss"), optional_amount(learning, "test_accuracy", 1), {}, {}};
    if (learning.has("noise_scale")) result.learning->noise_scale = learning.numbers("noise_scale");
    if (learning.has("curve"))
      for (const ObjectReader& point : learning.objects("curve", {"iterations", "accuracy"}))
        result.learning->curve.push_back(
            {point.integer<std::int32_t>("iterations"), point.number("accuracy", 0, 1)});
  }
  if (reader.has("explanation")) result.explanation_json = to_text(reader.value("explanation"));
  if (reader.has("images"))
    result.images =
        read_images(reader.object("images", {"train", "test", "classes", "core_seconds_per_image",
                                             "skipped", "skipped_files"}));
  return result;
}

Result load_result(const std::string& path) {
  return parse_result(read_text(path), path);
}

}  // namespace lockstep::results
