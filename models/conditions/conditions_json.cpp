// SPDX-License-Identifier: Apache-2.0
// The file of conditions, read strictly, and written.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/conditions/conditions.h"
#include "models/topology/detour.h"
#include "models/training/job_json.h"

namespace lockstep::conditions {

namespace {

using topology::Topology;

const std::string kEvery = "all";
constexpr double kMostTaken = 0.999;  // of a link: something has to be left

/// Whom the conditions are about.
struct World {
  const Topology& topology;
  std::int32_t ranks;
  std::int32_t batch;
};

LinkId read_link(const ObjectReader& reader, const World& world, bool may_be_all) {
  const std::string name = reader.text("link");
  if (may_be_all && name == kEvery) return kAll;
  std::vector<std::string> names;
  for (std::size_t link = 0; link < world.topology.links.size(); ++link) {
    names.push_back(world.topology.link_name(static_cast<LinkId>(link)));
    if (names.back() == name) return static_cast<LinkId>(link);
  }
  const std::string meant = nearest(name, names.data(), names.data() + names.size());
  throw ConfigError(reader.place("link"),
                    "topology \"" + world.topology.name + "\" has no link \"" + name + "\"" +
                        (meant.empty() ? "; links are named as in \"anna->switch\""
                                       : "; did you mean \"" + meant + "\"?"));
}

Rank read_rank(const ObjectReader& reader, const World& world) {
  return reader.integer<Rank>("rank", 0, world.ranks - 1);
}

Straggler read_straggler(const ObjectReader& reader, const World& world) {
  Straggler straggler;
  if (reader.has("rank")) straggler.rank = read_rank(reader, world);
  straggler.factor = reader.number("factor", 1e-6, 1e6);
  if (reader.has("probability")) straggler.probability = reader.number("probability", 0, 1);
  return straggler;
}

/// At least `least`, up to about a month.
double read_seconds(const ObjectReader& reader, const std::string& key, double least) {
  constexpr double kMost = 3e6;
  const double seconds = reader.seconds(key);
  if (seconds < least || seconds > kMost)
    throw ConfigError(reader.place(key), "must be from " + Json(least).dump() +
                                             " s to 3000000 s, is " + quoted(reader.value(key)));
  return seconds;
}

Traffic read_traffic(const ObjectReader& reader, const World& world) {
  Traffic traffic;
  traffic.link = read_link(reader, world, true);
  traffic.share = reader.number("share", 0, kMostTaken);
  if (reader.has("on") != reader.has("off"))
    throw ConfigError(reader.place(), "\"on\" and \"off\" go together");
  if (!reader.has("on")) return traffic;
  constexpr double kLeast = 1e-6;  // shorter ones would only be many
  traffic.on_seconds = read_seconds(reader, "on", kLeast);
  traffic.off_seconds = read_seconds(reader, "off", kLeast);
  return traffic;
}

Reaction read_reaction(const ObjectReader& reader) {
  const std::string name = reader.text("then");
  for (const Reaction reaction :
       {Reaction::Wait, Reaction::Abort, Reaction::Shrink, Reaction::Reroute})
    if (name == name_of(reaction)) return reaction;
  throw ConfigError(reader.place("then"),
                    "must be wait, abort, shrink or reroute, is \"" + name + "\"");
}

/// Whether messages that would take the link can go another way.
void check_detour(const ObjectReader& reader, const World& world, LinkId link) {
  if (link == kAll)
    throw ConfigError(reader.place("then"), "only a link can be gone round, not a rank");
  const auto& ends = world.topology.links[static_cast<std::size_t>(link)];
  if (!topology::has_detour(world.topology, link))
    throw ConfigError(reader.place("then"), "there is no other way from \"" +
                                                world.topology.node_name(ends.from) + "\" to \"" +
                                                world.topology.node_name(ends.to) + "\"");
  for (std::size_t other = 0; other < world.topology.links.size(); ++other)
    if (world.topology.links[other].burst_bytes > 0)
      throw ConfigError(reader.place("then"),
                        "link \"" + world.topology.link_name(static_cast<LinkId>(other)) +
                            "\" has a burst: other routes are not simulated then");
}

Failure read_failure(const ObjectReader& reader, const World& world) {
  Failure failure;
  if (reader.has("rank") == reader.has("link"))
    throw ConfigError(reader.place(), "expected one of \"rank\" and \"link\"");
  if (reader.has("rank"))
    failure.rank = read_rank(reader, world);
  else
    failure.link = read_link(reader, world, false);
  failure.at_seconds = read_seconds(reader, "at", 0);
  failure.reaction = read_reaction(reader);
  const bool waits = failure.reaction == Reaction::Wait;
  const bool shrinks = failure.reaction == Reaction::Shrink;
  if (shrinks && failure.link != kAll)
    throw ConfigError(reader.place("then"), "only a rank can be left behind, not a link");
  if (shrinks && world.ranks < 2)
    throw ConfigError(reader.place("then"), "there is no other rank to go on");
  if (failure.reaction == Reaction::Reroute) check_detour(reader, world, failure.link);
  const auto check_fits = [&](const char* key, bool fits) {
    if (reader.has(key) && !fits)
      throw ConfigError(reader.place(key),
                        "means nothing to a job that would " + name_of(failure.reaction));
  };
  check_fits("lasts", waits);
  check_fits("detection", !waits);
  check_fits("restart", shrinks);
  if (waits) failure.lasts_seconds = read_seconds(reader, "lasts", 1e-9);
  if (!waits) failure.detection_seconds = read_seconds(reader, "detection", 0);
  if (shrinks) failure.restart_seconds = read_seconds(reader, "restart", 0);
  return failure;
}

/// Fields of a job file that another job has not of its own, and why.
constexpr std::pair<const char*, const char*> kNotOfOthers[] = {
    {"topology", "jobs share the topology of the one that is predicted"},
    {"fidelity", "jobs share the network of the one that is predicted"},
    {"iterations", "jobs go on for as long as each other"},
    {"batch_growth", "only the batch of the job that is predicted may grow"}};

/// Jobs that draw from one seed would have their slow iterations at the same time.
OtherJob read_other_job(const ObjectReader& reader, std::size_t number) {
  const std::string place = reader.place("job");
  const Json& json = reader.value("job");
  for (const auto& [key, reason] : kNotOfOthers)
    if (json.is_object() && json.contains(key))
      throw ConfigError(place + "/" + key, std::string("cannot be given: ") + reason);
  OtherJob other;
  other.job = training::parse_job(json.dump(), place);
  if (!json.contains("seed")) other.job.seed = number + 2;
  constexpr double kLatest = 600;  // it is a phase; what the cluster did before is not predicted
  if (reader.has("start")) other.start_seconds = read_seconds(reader, "start", 0);
  if (other.start_seconds > kLatest)
    throw ConfigError(reader.place("start"),
                      "must be at most 600 s, is " + quoted(reader.value("start")));
  return other;
}

void read_other_jobs(const ObjectReader& reader, Conditions& conditions) {
  constexpr std::size_t kMost = 15;
  for (const ObjectReader& one : reader.objects("jobs", {"job", "start"}))
    conditions.jobs.push_back(read_other_job(one, conditions.jobs.size()));
  if (conditions.jobs.size() > kMost)
    throw ConfigError(reader.place("jobs"), "expected at most 15 other jobs, there are " +
                                                std::to_string(conditions.jobs.size()));
  if (conditions.failure && !conditions.jobs.empty())
    throw ConfigError(reader.place("jobs"),
                      "cannot be given together with a failure, which is "
                      "simulated of one job only");
}

std::vector<std::int32_t> read_batches(const ObjectReader& reader, const World& world) {
  const std::string place = reader.place("batches");
  const Json& json = reader.value("batches");
  if (!json.is_array() || json.size() != static_cast<std::size_t>(world.ranks))
    throw ConfigError(place, "expected a list with the images of each of " +
                                 std::to_string(world.ranks) + " ranks");
  std::vector<std::int32_t> batches;
  for (const Json& images : json)
    batches.push_back(static_cast<std::int32_t>(
        checked_integer(images, 1, world.batch, place + "/" + std::to_string(batches.size()))));
  const std::int64_t sum = std::accumulate(batches.begin(), batches.end(), std::int64_t{0});
  if (sum != world.batch)
    throw ConfigError(place, "must add up to the batch, " + std::to_string(world.batch) + ", is " +
                                 std::to_string(sum));
  return batches;
}

/// A link may not be taken wholly, nor pass bursts, for which others' traffic would not count.
void check_links(const Conditions& conditions, const World& world, const ObjectReader& reader) {
  const std::size_t links = world.topology.links.size();
  std::vector<double> taken(links);
  const auto check = [&](std::size_t link, const std::string& place) {
    const std::string name = world.topology.link_name(static_cast<LinkId>(link));
    if (world.topology.links[link].burst_bytes > 0)
      throw ConfigError(place, "link \"" + name + "\" has a burst: its traffic is not simulated");
    if (taken[link] > kMostTaken)
      throw ConfigError(place, "more than 99.9 % of link \"" + name + "\" would be taken");
  };
  for (const Traffic& traffic : conditions.traffic)
    for (std::size_t link = 0; link < links; ++link)
      if (traffic.link == kAll || traffic.link == static_cast<LinkId>(link)) {
        taken[link] += traffic.share;
        check(link, reader.place("traffic"));
      }
  if (conditions.failure && conditions.failure->link != kAll)
    check(static_cast<std::size_t>(conditions.failure->link), reader.place("failure"));
}

/// 0.25 → "0.25 s", which reads back exactly.
std::string seconds_text(double seconds) {
  return Json(seconds).dump() + " s";
}

/// As read_other_job() reads it.
Json json_of(const OtherJob& other) {
  Json json{{"job", Json::parse(training::to_json(other.job))}};
  for (const auto& [key, reason] : kNotOfOthers)
    json["job"].erase(key);
  if (other.start_seconds > 0) json["start"] = seconds_text(other.start_seconds);
  return json;
}

Json json_of(const Failure& failure, const Topology& topology) {
  Json json = Json::object();
  if (failure.link == kAll)
    json["rank"] = failure.rank;
  else
    json["link"] = topology.link_name(failure.link);
  json["at"] = seconds_text(failure.at_seconds);
  json["then"] = name_of(failure.reaction);
  if (failure.reaction == Reaction::Wait)
    json["lasts"] = seconds_text(failure.lasts_seconds);
  else
    json["detection"] = seconds_text(failure.detection_seconds);
  if (failure.reaction == Reaction::Shrink) json["restart"] = seconds_text(failure.restart_seconds);
  return json;
}

}  // namespace

Conditions parse_conditions(const std::string& text, const std::string& where,
                            const Topology& topology, std::int32_t ranks, std::int32_t batch) {
  const Json file = parse_json(text, where);
  const bool is_result = file.is_object() && file.contains("schema") &&
                         file["schema"].is_string() &&
                         file["schema"].get<std::string>().starts_with("lockstep.result/");
  if (is_result && !file.contains("conditions")) return {};
  const Json& json = is_result ? file["conditions"] : file;
  const World world{topology, ranks, batch};
  const ObjectReader reader(
      json, where, is_result ? "/conditions" : "",
      {"compute_jitter", "stragglers", "traffic", "batches", "failure", "jobs"});
  Conditions conditions;
  if (reader.has("compute_jitter"))
    conditions.compute_jitter = reader.number("compute_jitter", 0, 1);
  if (reader.has("stragglers"))
    for (const ObjectReader& one : reader.objects("stragglers", {"rank", "factor", "probability"}))
      conditions.stragglers.push_back(read_straggler(one, world));
  if (reader.has("traffic"))
    for (const ObjectReader& one : reader.objects("traffic", {"link", "share", "on", "off"}))
      conditions.traffic.push_back(read_traffic(one, world));
  if (reader.has("batches")) conditions.batches = read_batches(reader, world);
  if (reader.has("failure"))
    conditions.failure = read_failure(
        reader.object("failure", {"rank", "link", "at", "then", "lasts", "detection", "restart"}),
        world);
  if (reader.has("jobs")) read_other_jobs(reader, conditions);
  check_links(conditions, world, reader);
  if (!conditions.batches.empty() && conditions.failure &&
      conditions.failure->reaction == Reaction::Shrink)
    throw ConfigError(reader.place("batches"),
                      "what the others take of a lost rank's images would not be known");
  return conditions;
}

std::string to_json(const Conditions& conditions, const Topology& topology) {
  Json json = Json::object();
  if (conditions.compute_jitter) json["compute_jitter"] = *conditions.compute_jitter;
  for (const Straggler& straggler : conditions.stragglers) {
    Json one = Json::object();
    if (straggler.rank != kAll) one["rank"] = straggler.rank;
    one["factor"] = straggler.factor;
    if (straggler.probability < 1) one["probability"] = straggler.probability;
    json["stragglers"].push_back(std::move(one));
  }
  for (const Traffic& traffic : conditions.traffic) {
    Json one{{"link", traffic.link == kAll ? kEvery : topology.link_name(traffic.link)},
             {"share", traffic.share}};
    if (traffic.off_seconds > 0) {
      one["on"] = seconds_text(traffic.on_seconds);
      one["off"] = seconds_text(traffic.off_seconds);
    }
    json["traffic"].push_back(std::move(one));
  }
  if (!conditions.batches.empty()) json["batches"] = conditions.batches;
  if (conditions.failure) json["failure"] = json_of(*conditions.failure, topology);
  for (const OtherJob& other : conditions.jobs)
    json["jobs"].push_back(json_of(other));
  return to_text(json);
}

}  // namespace lockstep::conditions
