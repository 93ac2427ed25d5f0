// SPDX-License-Identifier: Apache-2.0
#include "models/training/job_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "models/base/errors.h"
#include "models/base/object_json.h"

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

std::string name_of(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::Ideal:
      return "ideal";
    case Fidelity::Flow:
      return "flow";
  }
  return "";
}

namespace {

std::string text_of(const Json& value, const std::string& where) {
  if (!value.is_string()) throw ConfigError(where, "must be a text, is " + value.dump());
  return value.get<std::string>();
}

std::int32_t integer_of(const Json& value, std::int32_t low, std::int32_t high,
                        const std::string& where) {
  return static_cast<std::int32_t>(checked_integer(value, low, high, where));
}

bool truth_of(const Json& value, const std::string& where) {
  if (!value.is_boolean()) throw ConfigError(where, "must be true or false, is " + value.dump());
  return value.get<bool>();
}

std::vector<double> numbers_of(const Json& value, double low, double high,
                               const std::string& where) {
  if (!value.is_array()) throw ConfigError(where, "must be a list of numbers, is " + value.dump());
  std::vector<double> numbers;
  for (const Json& number : value)
    numbers.push_back(checked_number(number, low, high, where));
  return numbers;
}

Json json_of(const std::vector<double>& numbers) {
  Json list = Json::array();
  for (const double number : numbers)
    list.push_back(number);
  return list;
}

/// The enumerator of that name.
template <typename Enum, std::size_t n>
Enum one_of(const std::array<Enum, n>& all, const Json& value, const std::string& where) {
  const std::string name = text_of(value, where);
  std::array<std::string, n> names;
  std::string list;
  for (std::size_t i = 0; i < n; ++i) {
    names[i] = name_of(all[i]);
    if (names[i] == name) return all[i];
    list += (i == 0 ? "" : ", ") + names[i];
  }
  const std::string meant = nearest(name, names.data(), names.data() + n);
  throw ConfigError(where, "must be one of " + list + ", is \"" + name + "\"" +
                               (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
}

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

using Where = const std::string&;

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

constexpr std::int32_t kMany = std::numeric_limits<std::int32_t>::max();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kSmallest = std::numeric_limits<double>::denorm_min();  // what "above 0" is

const std::string kAuto = "auto";

/// A field of the job file: how it is written, and how it is read, with its range.
struct Field {
  const char* key;
  Json (*write)(const Job& job);
  void (*read)(Job& job, const Json& value, Where where);
};

constexpr std::array<Field, 31> kFields{{
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
    {"learning_rate", [](const Job& job) { return Json(job.learning_rate); },
     [](Job& job, const Json& value, Where where) {
       if (value.is_number() && value.get<double>() <= 0)
         throw ConfigError(where, "must be positive, is " + value.dump());
       job.learning_rate = checked_number(value, kSmallest, kLargest, where);
     }},
    {"momentum", [](const Job& job) { return Json(job.momentum); },
     [](Job& job, const Json& value, Where where) {
       if (value.is_number() && !(value.get<double>() >= 0 && value.get<double>() < 1))
         throw ConfigError(where, "must be at least 0 and below 1, is " + value.dump());
       job.momentum = checked_number(value, 0, 1, where);
     }},
    {"topology", [](const Job& job) { return Json(job.topology); },
     [](Job& job, const Json& value, Where where) { job.topology = text_of(value, where); }},
    {"placement", [](const Job& job) { return json_of(job.placement); },
     [](Job& job, const Json& value, Where where) { job.placement = placement_of(value, where); }},
    {"fidelity", [](const Job& job) { return Json(name_of(job.fidelity)); },
     [](Job& job, const Json& value, Where where) {
       using enum Fidelity;
       job.fidelity = one_of(std::array{Ideal, Flow}, value, where);
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
    {"pixel_mean", [](const Job& job) { return json_of(job.pixel_mean); },
     [](Job& job, const Json& value, Where where) {
       job.pixel_mean = numbers_of(value, -kLargest, kLargest, where);
     }},
    {"pixel_std", [](const Job& job) { return json_of(job.pixel_std); },
     [](Job& job, const Json& value, Where where) {
       job.pixel_std = numbers_of(value, 1e-6, kLargest, where);
     }},
    {"seed", [](const Job& job) { return Json(job.seed); },
     [](Job& job, const Json& value, Where where) {
       job.seed = checked_count(value, 0, std::numeric_limits<std::uint64_t>::max(), where);
     }},
}};

ObjectReader::Keys keys_of_job() {
  ObjectReader::Keys keys;
  for (const Field& field : kFields)
    keys.emplace_back(field.key);
  return keys;
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
  for (const Field& field : kFields)
    json[field.key] = field.write(job);
  return to_text(json);
}

Job parse_job(const std::string& text, const std::string& where) {
  const Json file = parse_json(text, where);
  const bool is_result = file.is_object() && file.contains("schema") &&
                         file["schema"].is_string() &&
                         file["schema"].get<std::string>().starts_with("lockstep.result/");
  if (is_result && !file.contains("job")) throw ConfigError(where, "\"job\" is missing");
  const Json& json = is_result ? file["job"] : file;
  const ObjectReader reader(json, where, is_result ? "/job" : "", keys_of_job());
  Job job;
  for (const Field& field : kFields)
    if (reader.has(field.key)) field.read(job, reader.value(field.key), reader.place(field.key));
  return job;
}

Job load_job(const std::string& path) {
  return parse_job(read_text(path), path);
}

void set_field(Job& job, const std::string& key, const std::string& value,
               const std::string& where) {
  for (const Field& field : kFields) {
    if (field.key != key) continue;
    // "4 MiB" or 4194304, "host" or 4, "packed" or a list: those are read from texts too.
    const bool is_text = key.ends_with("_bytes") || key == "group_by" || key == "placement";
    field.read(job, is_text ? Json(value) : value_of_flag(value, field.write(job), where), where);
    return;
  }
  LOCKSTEP_CHECK(false, "a job has no field \"" + key + "\"");
}

}  // namespace lockstep::training
