// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_rows_json.h"

#include <algorithm>

#include "models/base/object_json.h"

namespace lockstep::cli {

double BenchRow::quantile(double share) const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto before = static_cast<std::size_t>(place);
  const std::size_t after = std::min(before + 1, sorted.size() - 1);
  return sorted[before] + (place - static_cast<double>(before)) * (sorted[after] - sorted[before]);
}

double algorithm_bandwidth(std::uint64_t bytes, double seconds) {
  return static_cast<double>(bytes) / seconds;
}

double bus_bandwidth(std::uint64_t bytes, double seconds, std::int32_t ranks) {
  return algorithm_bandwidth(bytes, seconds) * 2 * (ranks - 1) / ranks;
}

std::string describe(const BenchCase& each) {
  return each.program.empty() ? collectives::describe(each.choice) : "schedule " + each.name;
}

std::string to_json(const std::vector<BenchCase>& cases) {
  Json list = Json::array();
  for (const BenchCase& each : cases)
    list.push_back({{"bytes", each.bytes},
                    {"algorithm", collectives::name_of(each.choice.algorithm)},
                    {"segment_bytes", each.choice.segment_bytes},
                    {"servers", each.choice.servers},
                    {"chosen", each.chosen},
                    {"predicted_seconds", each.predicted_seconds},
                    {"name", each.name},
                    {"program", each.program}});
  return to_text({{"cases", list}});
}

std::vector<BenchCase> parse_bench_cases(const std::string& text) {
  const std::string where = "the cases that rank 0 sent";
  const Json json = parse_json(text, where);
  const ObjectReader object(json, where, "", {"cases"});
  std::vector<BenchCase> cases;
  for (const ObjectReader& each :
       object.objects("cases", {"bytes", "algorithm", "segment_bytes", "servers", "chosen",
                                "predicted_seconds", "name", "program"}))
    cases.push_back(
        {each.integer<std::uint64_t>("bytes"),
         {collectives::parse_algorithm(each.text("algorithm"), each.place("algorithm")),
          each.integer<std::uint64_t>("segment_bytes"), each.integer<std::int32_t>("servers")},
         each.boolean("chosen"),
         each.number("predicted_seconds", 0, 1e9),
         each.text("name"),
         each.text("program")});
  return cases;
}

std::string to_json(const std::vector<BenchRow>& rows, std::int32_t ranks,
                    const std::string& intra_host) {
  Json list = Json::array();
  for (const BenchRow& row : rows) {
    const BenchCase& each = row.measured;
    const double seconds = row.quantile(0.5);
    const bool is_own = each.program.empty();
    Json entry{{"bytes", each.bytes},
               {"algorithm", is_own ? collectives::name_of(each.choice.algorithm) : describe(each)},
               {"segment_bytes", each.choice.segment_bytes},
               {"servers", each.choice.servers},
               {"chosen", each.chosen},
               {"time_us", 1e6 * seconds},
               {"times_us", Json::array()},
               {"algbw_gb_s", algorithm_bandwidth(each.bytes, seconds) / 1e9},
               {"busbw_gb_s", bus_bandwidth(each.bytes, seconds, ranks) / 1e9},
               {"predicted_us", nullptr},
               {"errors", row.errors}};
    for (const double one : row.seconds)
      entry["times_us"].push_back(1e6 * one);
    if (each.predicted_seconds > 0) entry["predicted_us"] = 1e6 * each.predicted_seconds;
    list.push_back(std::move(entry));
  }
  return to_text({{"ranks", ranks}, {"intra_host", intra_host}, {"rows", list}});
}

}  // namespace lockstep::cli
