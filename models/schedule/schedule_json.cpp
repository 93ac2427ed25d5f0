// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/schedule_json.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/schedule/written_steps.h"

namespace lockstep::schedule {

namespace {

// As files spell them, in the order of the enumerators.
using Names = std::vector<std::string>;
const Names& verb_names() {
  static const Names names{"nothing", "compute", "send", "recv", "combine", "encode", "decode"};
  return names;
}
const Names& operator_names() {
  static const Names names{"replace", "sum", "max"};
  return names;
}
const Names& lane_names() {
  static const Names names{"compute", "communication", "input"};
  return names;
}
const Names& element_type_names() {
  static const Names names{"float32", "float16", "bfloat16", "int8", "byte"};
  return names;
}

template <typename Enum>
const std::string& spell(const Names& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

Json json_of(const Schedule& schedule, const Slice& slice) {
  LOCKSTEP_CHECK(slice.buffer < schedule.buffers.size(), "a slice of an undeclared buffer");
  return {{"buffer", schedule.buffers[slice.buffer].name},
          {"first", slice.first},
          {"count", slice.count}};
}

Json json_of(const Schedule& schedule, const Step& step) {
  const Step unused;
  Json json = Json::object();
  if (step.verb != unused.verb) json["verb"] = spell(verb_names(), step.verb);
  if (step.lane != unused.lane) json["lane"] = spell(lane_names(), step.lane);
  if (step.combine != unused.combine) json["combine"] = spell(operator_names(), step.combine);
  if (step.stream != unused.stream) json["stream"] = step.stream;
  if (step.target != unused.target) json["target"] = step.target;
  if (step.from != unused.from) json["from"] = json_of(schedule, step.from);
  if (step.into != unused.into) json["into"] = json_of(schedule, step.into);
  for (std::uint32_t d = 0; d < step.after_count; ++d)
    json["after"].push_back(step.after[d]);
  return json;
}

std::string listed(const std::vector<std::string>& entries, const std::string& indent) {
  std::string text = "[";
  for (const std::string& entry : entries)
    text += (&entry == entries.data() ? "\n" : ",\n") + indent + entry;
  return text + "]";
}

std::string text_of(const Schedule& schedule, const WrittenProgram& program) {
  std::vector<std::string> steps;
  for (const Step& step : program.steps)
    steps.push_back(json_of(schedule, step).dump());
  return "{\"rounds\": " + std::to_string(program.shape.rounds) +
         ", \"steps_per_round\": " + std::to_string(program.shape.steps_per_round) +
         ", \"rounds_in_flight\": " + std::to_string(program.shape.rounds_in_flight) +
         ", \"steps\": " + listed(steps, "        ") + "}";
}

/// Nothing of a fragment that always runs.
std::string text_of(const Recurrence& when) {
  if (when == Recurrence{}) return "";
  return ", \"when\": " +
         Json{{"first", when.first}, {"end", when.end}, {"every", when.every}}.dump();
}

std::string text_of(const Schedule& schedule, const Fragment& fragment) {
  Json after = Json::array();
  for (const After& entry : fragment.after) {
    after.push_back({{"fragment", entry.fragment}});
    if (entry.step != After::kWhole) after.back()["step"] = entry.step;
    if (entry.iterations_back != 0) after.back()["iterations_back"] = entry.iterations_back;
  }
  std::vector<std::string> programs;
  for (const WrittenProgram& program : write_out(fragment, schedule.ranks))
    programs.push_back(text_of(schedule, program));
  const bool alike =
      std::adjacent_find(programs.begin(), programs.end(), std::not_equal_to<>()) == programs.end();
  if (alike) programs.resize(1);
  return "{\"name\": " + Json(fragment.name).dump() +
         ", \"bucket\": " + std::to_string(fragment.bucket) + ", \"after\": " + after.dump() +
         text_of(fragment.when) + (fragment.own_pace ? ", \"own_pace\": true" : "") +
         ",\n     \"programs\": " + listed(programs, "      ") + "}";
}

template <typename Enum>
Enum read_name(const ObjectReader& reader, const std::string& key, const Names& names,
               Enum fallback) {
  const std::string name = reader.text(key, spell(names, fallback));
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Enum>(found - names.begin());
  std::string known;
  for (const std::string& other : names)
    known += (known.empty() ? "" : ", ") + other;
  const std::string guess = nearest(name, names.data(), names.data() + names.size());
  throw ConfigError(reader.place(key),
                    "expected one of " + known + ", is \"" + name + "\"" +
                        (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
}

Slice slice_of(const ObjectReader& reader, const Schedule& schedule) {
  const std::string name = reader.text("buffer");
  std::vector<std::string> known;
  for (std::uint32_t b = 0; b < schedule.buffers.size(); ++b) {
    if (schedule.buffers[b].name == name)
      return {b, reader.integer<std::uint64_t>("first"), reader.integer<std::uint64_t>("count")};
    known.push_back(schedule.buffers[b].name);
  }
  const std::string guess = nearest(name, known.data(), known.data() + known.size());
  throw ConfigError(reader.place("buffer"),
                    "there is no buffer \"" + name + "\"" +
                        (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
}

Slice read_slice(const ObjectReader& step, const std::string& key, const Schedule& schedule) {
  if (!step.has(key)) return {};
  return slice_of(step.object(key, {"buffer", "first", "count"}), schedule);
}

Step read_step(const ObjectReader& reader, const Schedule& schedule) {
  Step step;
  step.verb = read_name(reader, "verb", verb_names(), step.verb);
  step.lane = read_name(reader, "lane", lane_names(), step.lane);
  step.combine = read_name(reader, "combine", operator_names(), step.combine);
  step.stream = static_cast<std::uint8_t>(reader.integer<std::uint32_t>("stream", 0, 255, 0));
  step.target = reader.integer<std::int32_t>("target", -1, INT32_MAX, -1);
  step.from = read_slice(reader, "from", schedule);
  step.into = read_slice(reader, "into", schedule);
  if (!reader.has("after")) return step;
  const Json& after = reader.value("after");
  if (!after.is_array() || after.size() > step.after.size())
    throw ConfigError(reader.place("after"),
                      "must be a list of at most " + std::to_string(step.after.size()) + " steps");
  for (const Json& index : after)
    step.wait_for(static_cast<StepIndex>(checked_count(
        index, 0, UINT32_MAX, reader.place("after") + "/" + std::to_string(step.after_count))));
  return step;
}

WrittenProgram read_program(const ObjectReader& reader, const Schedule& schedule) {
  WrittenProgram program;
  program.shape = {reader.integer<std::uint32_t>("rounds"),
                   reader.integer<std::uint32_t>("steps_per_round"),
                   reader.integer<std::uint32_t>("rounds_in_flight", 1)};
  const std::vector<ObjectReader> steps = reader.objects(
      "steps", {"verb", "lane", "combine", "stream", "target", "from", "into", "after"});
  const std::uint64_t expected =
      std::uint64_t{program.shape.rounds} * program.shape.steps_per_round;
  if (steps.size() != expected)
    throw ConfigError(reader.place("steps"), "rounds × steps_per_round is " +
                                                 std::to_string(expected) + ", but there are " +
                                                 std::to_string(steps.size()) + " steps");
  for (const ObjectReader& step : steps)
    program.steps.push_back(read_step(step, schedule));
  return program;
}

Fragment read_fragment(const ObjectReader& reader, const Schedule& schedule) {
  Fragment fragment;
  fragment.name = reader.text("name");
  fragment.bucket = reader.integer<std::int32_t>("bucket", -1, INT32_MAX, -1);
  for (const ObjectReader& entry : reader.objects("after", {"fragment", "step", "iterations_back"}))
    fragment.after.push_back({entry.integer<std::uint32_t>("fragment"),
                              entry.integer<StepIndex>("step", 0, After::kWhole - 1, After::kWhole),
                              entry.integer<std::int32_t>("iterations_back", 0, 1 << 16, 0)});
  fragment.own_pace = reader.boolean("own_pace", false);
  if (reader.has("when")) {
    const ObjectReader when = reader.object("when", {"first", "end", "every"});
    fragment.when = {when.integer<std::int32_t>("first", 0, INT32_MAX, 0),
                     when.integer<std::int32_t>("end", 0, INT32_MAX, INT32_MAX),
                     when.integer<std::int32_t>("every", 1, 1 << 16, 1)};
  }
  std::vector<WrittenProgram> programs;
  for (const ObjectReader& program :
       reader.objects("programs", {"rounds", "steps_per_round", "rounds_in_flight", "steps"}))
    programs.push_back(read_program(program, schedule));
  if (programs.size() != 1 && programs.size() != static_cast<std::size_t>(schedule.ranks))
    throw ConfigError(reader.place("programs"), "expected one for all ranks or one for each of " +
                                                    std::to_string(schedule.ranks) +
                                                    ", there are " +
                                                    std::to_string(programs.size()));
  fragment.steps = std::make_shared<WrittenSteps>(std::move(programs));
  return fragment;
}

Buffer read_buffer(const ObjectReader& reader, const Schedule& schedule) {
  Buffer buffer;
  buffer.name = reader.text("name");
  for (const Buffer& other : schedule.buffers)
    if (other.name == buffer.name)
      throw ConfigError(reader.place("name"), "there are two buffers \"" + buffer.name + "\"");
  buffer.count = reader.integer<std::uint64_t>("count");
  buffer.type = read_name(reader, "type", element_type_names(), buffer.type);
  buffer.commutes = reader.boolean("commutes", false);
  return buffer;
}

Code read_code(const ObjectReader& reader, const Schedule& schedule) {
  Code code;
  code.name = reader.text("name");
  for (const ObjectReader& slice : reader.objects("elements", {"buffer", "first", "count"}))
    code.elements.push_back(slice_of(slice, schedule));
  return code;
}

std::string text_of(const Schedule& schedule, const Code& code) {
  Json elements = Json::array();
  for (const Slice& slice : code.elements)
    elements.push_back(json_of(schedule, slice));
  return Json{{"name", code.name}, {"elements", elements}}.dump();
}

}  // namespace

std::string to_json(const Schedule& schedule) {
  std::vector<std::string> buffers;
  for (const Buffer& buffer : schedule.buffers) {
    Json json{{"name", buffer.name}, {"count", buffer.count}, {"type", name_of(buffer.type)}};
    if (buffer.commutes) json["commutes"] = true;
    buffers.push_back(json.dump());
  }
  std::vector<std::string> codes;
  for (const Code& code : schedule.codes)
    codes.push_back(text_of(schedule, code));
  std::vector<std::string> fragments;
  for (const Fragment& fragment : schedule.fragments)
    fragments.push_back(text_of(schedule, fragment));
  return "{\"name\": " + Json(schedule.name).dump() +
         ",\n  \"ranks\": " + std::to_string(schedule.ranks) +
         ",\n  \"buffers\": " + listed(buffers, "    ") +
         (codes.empty() ? "" : ",\n  \"codes\": " + listed(codes, "    ")) +
         ",\n  \"fragments\": " + listed(fragments, "    ") + "}\n";
}

Schedule parse_schedule(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader reader(json, where, "", {"name", "ranks", "buffers", "codes", "fragments"});
  Schedule schedule;
  schedule.name = reader.text("name");
  // The bound keeps the key of a channel within 64 bits, and memory within reason.
  schedule.ranks = reader.integer<std::int32_t>("ranks", 1, 1 << 20);
  for (const ObjectReader& buffer :
       reader.objects("buffers", {"name", "count", "type", "commutes"}))
    schedule.buffers.push_back(read_buffer(buffer, schedule));
  if (reader.has("codes"))
    for (const ObjectReader& code : reader.objects("codes", {"name", "elements"}))
      schedule.codes.push_back(read_code(code, schedule));
  for (const ObjectReader& fragment :
       reader.objects("fragments", {"name", "bucket", "after", "when", "own_pace", "programs"}))
    schedule.fragments.push_back(read_fragment(fragment, schedule));
  return schedule;
}

}  // namespace lockstep::schedule
