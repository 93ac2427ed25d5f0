// SPDX-License-Identifier: Apache-2.0
#include "models/training/job_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "models/base/errors.h"
#include "models/training/job_field_json.h"

namespace lockstep::training {

std::string name_of(const topology::GroupBy& by) {
  switch (by.kind) {
    case topology::GroupBy::Kind::Host:
      return "host";
    case topology::GroupBy::Kind::Rack:
      return "rack";
    case topology::GroupBy::Kind::Consecutive:
      return std::to_string(by.ranks);
  }
  return "";
}

std::string name_of(BatchNorm batch_norm) {
  switch (batch_norm) {
    case BatchNorm::PerRank:
      return "per-rank";
    case BatchNorm::Synchronised:
      return "synchronised";
  }
  return "";
}

std::string name_of(network::InputKind input) {
  switch (input) {
    case network::InputKind::Pixels:
      return "pixels";
    case network::InputKind::Jpeg:
      return "jpeg";
  }
  return "";
}

std::string name_of(network::Optimizer optimizer) {
  switch (optimizer) {
    case network::Optimizer::Sgd:
      return "sgd";
    case network::Optimizer::Nesterov:
      return "nesterov";
    case network::Optimizer::Lars:
      return "lars";
    case network::Optimizer::Lamb:
      return "lamb";
    case network::Optimizer::Adam:
      return "adam";
  }
  return "";
}

std::string name_of(RatePolicy policy) {
  switch (policy) {
    case RatePolicy::Constant:
      return "constant";
    case RatePolicy::Step:
      return "step";
    case RatePolicy::Cosine:
      return "cosine";
    case RatePolicy::Polynomial:
      return "polynomial";
    case RatePolicy::Exponential:
      return "exponential";
  }
  return "";
}

std::string name_of(RateScaling scaling) {
  switch (scaling) {
    case RateScaling::None:
      return "none";
    case RateScaling::Linear:
      return "linear";
    case RateScaling::SquareRoot:
      return "sqrt";
  }
  return "";
}

std::string name_of(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::Ideal:
      return "ideal";
    case Fidelity::Flow:
      return "flow";
    case Fidelity::Packet:
      return "packet";
  }
  return "";
}

namespace {

Json json_of(const topology::Placement& placement) {
  if (placement.kind == topology::PlacementKind::Listed) return placement.hosts;
  return name_of(placement.kind);
}

/// "packed", "scattered", or the host of each rank.
topology::Placement placement_of(const Json& value, const std::string& where) {
  using enum topology::PlacementKind;
  if (!value.is_array()) return {one_of(std::array{Packed, Scattered}, value, where), {}};
  topology::Placement placement{Listed, {}};
  for (const Json& host : value)
    placement.hosts.push_back(text_of(host, where + "/" + std::to_string(placement.hosts.size())));
  return placement;
}

/// "host", "rack", or a number of ranks, which as a flag is a text too.
topology::GroupBy group_by_of(const Json& value, const std::string& where) {
  using enum topology::GroupBy::Kind;
  if (value == "host") return {Host};
  if (value == "rack") return {Rack};
  const Json number =
      value.is_string() ? Json::parse(value.get<std::string>(), nullptr, false) : value;
  if (!number.is_number_integer())
    throw ConfigError(where, "must be host, rack or a number of ranks, is " + value.dump());
  return {Consecutive, integer_of(number, 1, 1 << 20, where)};
}

const std::string kAuto = "auto";

constexpr std::array<JobField, 29> kFields{{
    {"network", [](const Job& job) { return Json(job.network); },
     [](Job& job, const Json& value, Where where) { job.network = text_of(value, where); }},
    {"ranks", [](const Job& job) { return Json(job.ranks); },
     [](Job& job, const Json& value, Where where) {
       job.ranks = integer_of(value, 1, 1 << 20, where);
     }},
    {"batch", [](const Job& job) { return Json(job.batch); },
     [](Job& job, const Json& value, Where where) {
       job.batch = integer_of(value, 1, kMany, where);
     }},
    {"threads", [](const Job& job) { return Json(job.threads); },
     [](Job& job, const Json& value, Where where) {
       job.threads = integer_of(value, 1, 4096, where);
     }},
    {"iterations", [](const Job& job) { return Json(job.iterations); },
     [](Job& job, const Json& value, Where where) {
       job.iterations = integer_of(value, 0, kMany, where);
     }},
    {"algorithm",
     [](const Job& job) {
       return Json(job.choose_algorithm ? kAuto : collectives::name_of(job.algorithm));
     },
     [](Job& job, const Json& value, Where where) {
       job.choose_algorithm = text_of(value, where) == kAuto;
       if (!job.choose_algorithm)
         job.algorithm = collectives::parse_algorithm(text_of(value, where), where);
     }},
    {"bucket_bytes", [](const Job& job) { return Json(job.bucket_bytes); },
     [](Job& job, const Json& value, Where where) {
       job.bucket_bytes = checked_bytes(value, where);
       if (job.bucket_bytes == 0) throw ConfigError(where, "must be at least 1 B, is 0 B");
     }},
    {"buckets_in_flight", [](const Job& job) { return Json(job.buckets_in_flight); },
     [](Job& job, const Json& value, Where where) {
       job.buckets_in_flight = integer_of(value, 1, 255, where);
     }},
    {"segment_bytes", [](const Job& job) { return Json(job.segment_bytes); },
     [](Job& job, const Json& value, Where where) {
       const std::uint64_t bytes = checked_bytes(value, where);
       if (bytes >= 1 && bytes <= 3)  // less than one element
         throw ConfigError(where, "must be at least 4 B, or 0 for whole chunks, is " +
                                      std::to_string(bytes) + " B");
       job.segment_bytes = bytes;
       job.choose_segment = false;
     }},
    {"overlap", [](const Job& job) { return Json(job.overlap); },
     [](Job& job, const Json& value, Where where) { job.overlap = truth_of(value, where); }},
    {"group_by",
     [](const Job& job) {
       return job.group_by.kind == topology::GroupBy::Kind::Consecutive
                  ? Json(job.group_by.ranks)
                  : Json(name_of(job.group_by));
     },
     [](Job& job, const Json& value, Where where) { job.group_by = group_by_of(value, where); }},
    {"servers", [](const Job& job) { return Json(job.servers); },
     [](Job& job, const Json& value, Where where) {
       job.servers = integer_of(value, 0, 1 << 20, where);
     }},
    {"streams", [](const Job& job) { return Json(job.streams); },
     [](Job& job, const Json& value, Where where) {
       job.streams = integer_of(value, 1, 64, where);
     }},
    {"intra_host", [](const Job& job) { return Json(name_of(job.intra_host)); },
     [](Job& job, const Json& value, Where where) {
       job.intra_host = parse_intra_host(text_of(value, where), where);
     }},
    {"compression",
     [](const Job& job) {
       return Json(job.choose_compression ? kAuto : compression::name_of(job.compression));
     },
     [](Job& job, const Json& value, Where where) {
       job.choose_compression = text_of(value, where) == kAuto;
       job.compression = job.choose_compression
                             ? compression::Rules{}
                             : compression::parse_rules(text_of(value, where), where);
     }},
    {"batch_norm", [](const Job& job) { return Json(name_of(job.batch_norm)); },
     [](Job& job, const Json& value, Where where) {
       using enum BatchNorm;
       job.batch_norm = one_of(std::array{PerRank, Synchronised}, value, where);
     }},
    {"topology", [](const Job& job) { return Json(job.topology); },
     [](Job& job, const Json& value, Where where) { job.topology = text_of(value, where); }},
    {"placement", [](const Job& job) { return json_of(job.placement); },
     [](Job& job, const Json& value, Where where) { job.placement = placement_of(value, where); }},
    {"fidelity", [](const Job& job) { return Json(name_of(job.fidelity)); },
     [](Job& job, const Json& value, Where where) {
       using enum Fidelity;
       job.fidelity = one_of(std::array{Ideal, Flow, Packet}, value, where);
     }},
    {"data", [](const Job& job) { return Json(job.data); },
     [](Job& job, const Json& value, Where where) { job.data = text_of(value, where); }},
    {"input", [](const Job& job) { return Json(name_of(job.input)); },
     [](Job& job, const Json& value, Where where) {
       using enum network::InputKind;
       job.input = one_of(std::array{Pixels, Jpeg}, value, where);
     }},
    {"test_share", [](const Job& job) { return Json(job.test_share); },
     [](Job& job, const Json& value, Where where) {
       job.test_share = checked_number(value, 0, 1, where);
     }},
    {"augment", [](const Job& job) { return Json(job.augment); },
     [](Job& job, const Json& value, Where where) { job.augment = truth_of(value, where); }},
    {"decode_threads", [](const Job& job) { return Json(job.decode_threads); },
     [](Job& job, const Json& value, Where where) {
       job.decode_threads = integer_of(value, 0, 1024, where);
     }},
    {"cache", [](const Job& job) { return Json(job.cache); },
     [](Job& job, const Json& value, Where where) { job.cache = text_of(value, where); }},
    {"cache_bytes", [](const Job& job) { return Json(job.cache_bytes); },
     [](Job& job, const Json& value, Where where) {
       job.cache_bytes = checked_bytes(value, where);
     }},
    {"pixel_mean", [](const Job& job) { return list_of(job.pixel_mean); },
     [](Job& job, const Json& value, Where where) {
       job.pixel_mean = numbers_of(value, -kLargest, kLargest, where);
     }},
    {"pixel_std", [](const Job& job) { return list_of(job.pixel_std); },
     [](Job& job, const Json& value, Where where) {
       job.pixel_std = numbers_of(value, 1e-6, kLargest, where);
     }},
    {"seed", [](const Job& job) { return Json(job.seed); },
     [](Job& job, const Json& value, Where where) {
       job.seed = checked_count(value, 0, std::numeric_limits<std::uint64_t>::max(), where);
     }},
}};

/// Calls visit(field) for every field of a job, in the order of the file.
template <typename Visit>
void for_fields(const Visit& visit) {
  for (const JobField& field : kFields)
    visit(field);
  for (const JobField& field : learning_fields())
    visit(field);
}

/// A flag's text as the JSON value that `like`, the field's value before, would be.
Json value_of_flag(const std::string& text, const Json& like, const std::string& where) {
  if (like.is_boolean()) {
    if (text == "on" || text == "off") return Json(text == "on");
    throw ConfigError(where, "must be on or off, is \"" + text + "\"");
  }
  if (like.is_string()) return Json(text);
  if (like.is_array()) {  // "0.5,0.4,0.3"
    Json list = Json::array();
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');)
      list.push_back(value_of_flag(word, Json(0.0), where));
    return list;
  }
  const Json number = Json::parse(text, nullptr, false);
  if (number.is_number()) return number;
  // ".05" and "1." are no JSON, but people write them.
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && std::isfinite(value)) return Json(value);
  throw ConfigError(where, "must be a number, is \"" + text + "\"");
}

}  // namespace

std::string to_json(const Job& job) {
  Json json;
  for_fields([&](const JobField& field) { json[field.key] = field.write(job); });
  return to_text(json);
}

Job parse_job(const std::string& text, const std::string& where) {
  const Json file = parse_json(text, where);
  const bool is_result = file.is_object() && file.contains("schema") &&
                         file["schema"].is_string() &&
                         file["schema"].get<std::string>().starts_with("lockstep.result/");
  if (is_result && !file.contains("job")) throw ConfigError(where, "\"job\" is missing");
  const Json& json = is_result ? file["job"] : file;
  ObjectReader::Keys keys;
  for_fields([&](const JobField& field) { keys.emplace_back(field.key); });
  const ObjectReader reader(json, where, is_result ? "/job" : "", keys);
  Job job;
  for_fields([&](const JobField& field) {
    if (reader.has(field.key)) field.read(job, reader.value(field.key), reader.place(field.key));
  });
  return job;
}

Job load_job(const std::string& path) {
  return parse_job(read_text(path), path);
}

void set_field(Job& job, const std::string& key, const std::string& value,
               const std::string& where) {
  bool is_known = false;
  for_fields([&](const JobField& field) {
    if (field.key != key) return;
    is_known = true;
    // "4 MiB" or 4194304, "host" or 4, "packed" or a list: those are read from texts too.
    const bool is_text =
        key.ends_with("_bytes") || key == "group_by" || key == "placement" || key == "batch_growth";
    field.read(job, is_text ? Json(value) : value_of_flag(value, field.write(job), where), where);
  });
  LOCKSTEP_CHECK(is_known, "a job has no field \"" + key + "\"");
}

}  // namespace lockstep::training
