// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "cli/sweep_json.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"

namespace lockstep::cli {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

struct Header {
  std::string sweep;
  std::uint64_t configurations = 0;
  std::uint64_t shard = 0;
  std::uint64_t shards = 1;
};

Header read_header(const std::string& line, const std::string& where) {
  const Json json = parse_json(line, where + ", line 1");
  const ObjectReader reader(json, where, "", {"schema", "sweep", "configurations", "shard"});
  if (reader.text("schema") != "lockstep.sweep/1")
    throw ConfigError(reader.place("schema"), "expected lockstep.sweep/1");
  Header header{.sweep = reader.text("sweep"),
                .configurations = reader.integer<std::uint64_t>("configurations")};
  unsigned long long shard = 0, shards = 0;
  const std::string text = reader.text("shard");
  if (std::sscanf(text.c_str(), "%llu/%llu", &shard, &shards) != 2 || shard < 1 || shard > shards)
    throw ConfigError(reader.place("shard"), "expected as in 3/8, is \"" + text + "\"");
  header.shard = shard - 1;
  header.shards = shards;
  return header;
}

/// One configuration that could be simulated.
struct Row {
  std::uint64_t number = 0;
  Json set;
  Json summary;
};

std::vector<Row> read_rows(const std::string& text, const std::string& where) {
  const std::vector<std::string> lines = lines_of(text);
  if (lines.empty()) throw ConfigError(where, "is empty, expected results of a sweep");
  read_header(lines[0], where);
  std::vector<Row> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string place = where + ", line " + std::to_string(i + 1);
    const Json json = parse_json(lines[i], place);
    const ObjectReader reader(json, place, "", {"configuration", "set", "summary", "error"});
    if (reader.has("summary"))
      rows.push_back({reader.integer<std::uint64_t>("configuration"), reader.value("set"),
                      reader.value("summary")});
  }
  if (rows.empty()) throw ConfigError(where, "no configuration could be simulated");
  return rows;
}

/// The field's value, and −value where more is better, so that less always is.
double cost_of(const Row& row, const std::string& field, const std::string& where) {
  if (row.set.contains(field) && row.set[field].is_number()) return row.set[field];
  if (!row.summary.contains(field)) {
    std::vector<std::string> names;
    for (const auto& [key, value] : row.summary.items())
      names.push_back(key);
    const std::string meant = nearest(field, names.data(), names.data() + names.size());
    throw ConfigError(where, "\"" + field +
                                 "\" is neither a figure of the summary nor a number that "
                                 "was set" +
                                 (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }
  const Json& value = row.summary[field];
  const Json& figure = value.is_object() && value.contains("mean") ? value["mean"] : value;
  if (!figure.is_number()) throw ConfigError(where, "\"" + field + "\" is " + quoted(figure));
  const bool more_is_better = field == "images_per_second" || field == "scaling_efficiency";
  return more_is_better ? -figure.get<double>() : figure.get<double>();
}

std::string table_of(const std::vector<const Row*>& rows, const std::vector<std::string>& fields) {
  std::string table;
  for (const Row* row : rows) {
    char text[64];
    for (const std::string& field : fields) {
      std::snprintf(text, sizeof text, "%14.6g  ", std::abs(cost_of(*row, field, field)));
      table += text;
    }
    table += "#" + std::to_string(row->number) + " " + row->set.dump() + "\n";
  }
  return table;
}

}  // namespace

std::string merge_sweeps(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<std::vector<std::string>> shards(files.size());
  Header first;
  for (const auto& [name, text] : files) {
    std::vector<std::string> lines = lines_of(text);
    if (lines.empty() || !text.ends_with('\n'))
      throw ConfigError(name, "is incomplete; the sweep that writes it goes on when started again");
    const Header header = read_header(lines[0], name);
    if (&name == &files.front().first) first = header;
    if (header.sweep != first.sweep || header.configurations != first.configurations ||
        header.shards != first.shards)
      throw ConfigError(name, "is of another sweep than " + files.front().first);
    if (header.shards != files.size())
      throw ConfigError(name, "expected all " + std::to_string(header.shards) +
                                  " shards, there are " + std::to_string(files.size()) + " files");
    const std::uint64_t expected =
        (header.configurations + header.shards - 1 - header.shard) / header.shards;
    if (lines.size() != expected + 1)
      throw ConfigError(name, "has " + std::to_string(lines.size() - 1) + " of " +
                                  std::to_string(expected) +
                                  " configurations; the sweep that writes it goes on when started "
                                  "again");
    if (!shards[header.shard].empty())
      throw ConfigError(
          name, "is shard " + std::to_string(header.shard + 1) + ", which is there already");
    shards[header.shard] = std::move(lines);
  }
  std::string merged = Json{{"schema", "lockstep.sweep/1"},
                            {"sweep", first.sweep},
                            {"configurations", first.configurations},
                            {"shard", "1/1"}}
                           .dump() +
                       "\n";
  for (std::uint64_t number = 0; number < first.configurations; ++number)
    merged += shards[number % first.shards][1 + number / first.shards] + "\n";
  return merged;
}

std::string best_of(const std::string& text, const std::string& where, const std::string& field,
                    std::size_t most) {
  const std::vector<Row> rows = read_rows(text, where);
  std::vector<const Row*> order;
  for (const Row& row : rows)
    order.push_back(&row);
  std::stable_sort(order.begin(), order.end(), [&](const Row* a, const Row* b) {
    return cost_of(*a, field, where) < cost_of(*b, field, where);
  });
  order.resize(std::min(most, order.size()));
  return table_of(order, {field});
}

std::string pareto_of(const std::string& text, const std::string& where, const std::string& first,
                      const std::string& second) {
  const std::vector<Row> rows = read_rows(text, where);
  std::vector<const Row*> order;
  for (const Row& row : rows)
    order.push_back(&row);
  const auto costs = [&](const Row* row) {
    return std::pair(cost_of(*row, first, where), cost_of(*row, second, where));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const Row* a, const Row* b) { return costs(a) < costs(b); });
  // In the order of the first, those that improve on the second; equals of the last stay too.
  std::vector<const Row*> best;
  for (const Row* row : order)
    if (best.empty() || costs(row).second < costs(best.back()).second ||
        costs(row) == costs(best.back()))
      best.push_back(row);
  return table_of(best, {first, second});
}

}  // namespace lockstep::cli
