// SPDX-License-Identifier: Apache-2.0
// The Chrome trace: processes, threads, slices and arrows of two ranks that exchange messages.
#include "models/results/trace_json.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

using namespace lockstep;
using namespace lockstep::results;
using nlohmann::json;
using schedule::Lane;
using schedule::Step;
using schedule::Verb;

namespace {

Step message(Verb verb, Rank peer, std::uint8_t stream = 0) {
  Step step;
  step.verb = verb;
  step.target = peer;
  step.stream = stream;
  return step;
}

/// Fragment 0, "compute": work 0. Fragment 1, "all-reduce 0": both ranks send two messages of one
/// stream to each other and receive two.
schedule::Schedule exchange() {
  Step compute;
  compute.verb = Verb::Compute;
  compute.lane = Lane::Compute;
  compute.target = 0;
  const auto program = [](Rank peer) {
    return std::vector<Step>{message(Verb::Send, peer), message(Verb::Send, peer),
                             message(Verb::Recv, peer), message(Verb::Recv, peer)};
  };
  schedule::Schedule schedule;
  schedule.ranks = 2;
  schedule.fragments.resize(2);
  schedule.fragments[0].name = "compute";
  schedule.fragments[0].steps =
      std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{{compute}});
  schedule.fragments[1].name = "all-reduce 0";
  schedule.fragments[1].steps =
      std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{program(1), program(0)});
  return schedule;
}

Time nanoseconds(std::int64_t n) {
  return Time{n * 1000};
}

TraceSpan span(Rank rank, std::uint32_t fragment, schedule::StepIndex step, std::int64_t start,
               std::int64_t end) {
  const bool compute = fragment == 0;
  return {rank,
          compute ? Lane::Compute : Lane::Communication,
          fragment,
          step,
          5,
          nanoseconds(start),
          nanoseconds(end),
          compute ? 0u : 64u,
          compute ? -1 : 1 - rank};
}

/// Both ranks from 1 µs on: rank 0's receives are outstanding all the while.
std::vector<TraceSpan> spans() {
  return {span(0, 0, 0, 1000, 3500),                             // compute
          span(0, 1, 0, 1500, 1600), span(0, 1, 1, 1600, 1700),  // sends of rank 0
          span(0, 1, 2, 1500, 2400), span(0, 1, 3, 1500, 2800),  // its receives
          span(1, 1, 0, 2000, 2345), span(1, 1, 1, 2345, 2700),  // sends of rank 1
          span(1, 1, 2, 1200, 1650), span(1, 1, 3, 1650, 1800)};
}

const std::vector<std::string> kWorks{"forward conv1"};
const std::vector<std::string> kHosts{"a", "b"};

std::vector<json> events(const std::string& phase, const std::vector<TraceSpan>& of) {
  const json trace = json::parse(to_chrome_trace(exchange(), kWorks, kHosts, of));
  std::vector<json> found;
  for (const json& event : trace["traceEvents"])
    if (event["ph"] == phase) found.push_back(event);
  return found;
}

}  // namespace

TEST_CASE("trace: a span is a slice with its name, category and times in microseconds",
          "[results]") {
  const std::vector<json> slices = events("X", spans());
  REQUIRE(slices.size() == 9);
  CHECK(slices[0]["name"] == "forward conv1");
  CHECK(slices[0]["cat"] == "compute");
  CHECK(slices[0]["pid"] == 0);
  CHECK(slices[0]["ts"] == 0.0);  // the earliest span is the origin: 1000 − 1000 ns
  CHECK(slices[0]["dur"] == 2.5);
  CHECK(slices[0]["args"] == json{{"iteration", 5}, {"step", 0}});
  CHECK(slices[1]["name"] == "send → 1");
  CHECK(slices[1]["cat"] == "all-reduce 0");
  CHECK(slices[1]["ts"] == 0.5);
  CHECK(slices[1]["args"] == json{{"iteration", 5}, {"step", 0}, {"bytes", 64}});
  CHECK(slices[2]["name"] == "receive ← 1");
  const auto second = std::find_if(slices.begin(), slices.end(), [](const json& slice) {
    return slice["pid"] == 1 && slice["ts"] == 1.345;  // 2345 − 1000 ns
  });
  REQUIRE(second != slices.end());
  CHECK((*second)["dur"] == 0.355);  // 2700 − 2345 ns
}

TEST_CASE("trace: processes are named after ranks and hosts, threads after lanes", "[results]") {
  std::map<int, std::string> processes;
  std::map<std::pair<int, int>, std::string> threads;
  for (const json& event : events("M", spans())) {
    if (event["name"] == "process_name") processes[event["pid"]] = event["args"]["name"];
    if (event["name"] == "thread_name")
      threads[{event["pid"], event["tid"]}] = event["args"]["name"];
  }
  CHECK(processes == std::map<int, std::string>{{0, "rank 0 (a)"}, {1, "rank 1 (b)"}});
  // At most three of rank 0's messages are outstanding at once (both receives and one send).
  const std::map<std::pair<int, int>, std::string> expected{{{0, 0}, "compute"},
                                                            {{0, 1}, "communication"},
                                                            {{0, 4}, "communication 2"},
                                                            {{0, 7}, "communication 3"},
                                                            {{1, 1}, "communication"}};
  CHECK(threads == expected);
}

TEST_CASE("trace: slices of one thread never overlap", "[results]") {
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> of_thread;
  for (const json& slice : events("X", spans())) {
    const double start = slice["ts"];
    of_thread[{slice["pid"], slice["tid"]}].emplace_back(start, start + slice["dur"].get<double>());
  }
  for (auto& [thread, slices] : of_thread) {
    std::sort(slices.begin(), slices.end());
    for (std::size_t i = 1; i < slices.size(); ++i)
      CHECK(slices[i - 1].second <= slices[i].first + 1e-6);  // doubles: a picosecond of slack
  }
}

TEST_CASE("trace: arrows lead from each send to its receive, first to first", "[results]") {
  const std::vector<json> starts = events("s", spans());
  const std::vector<json> finishes = events("f", spans());
  REQUIRE(starts.size() == 4);
  REQUIRE(finishes.size() == 4);
  // Sender, start of the send; receiver, last nanosecond of the receive; from 1 µs on.
  const std::vector<std::array<double, 4>> expected{
      {0, 0.5, 1, 0.649}, {0, 0.6, 1, 0.799}, {1, 1.0, 0, 1.399}, {1, 1.345, 0, 1.799}};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(starts[i]["id"] == finishes[i]["id"]);
    CHECK(starts[i]["pid"] == expected[i][0]);
    CHECK(starts[i]["ts"] == expected[i][1]);
    CHECK(finishes[i]["pid"] == expected[i][2]);
    CHECK(finishes[i]["ts"] == expected[i][3]);
    CHECK(finishes[i]["bp"] == "e");
  }
}

TEST_CASE("trace: a message whose other end was not recorded has no arrow", "[results]") {
  std::vector<TraceSpan> one_sided = spans();
  std::erase_if(one_sided, [](const TraceSpan& span) { return span.rank == 1; });
  CHECK(events("s", one_sided).empty());
  CHECK(events("X", one_sided).size() == 5);
}

TEST_CASE("trace: the order of the spans does not matter", "[results]") {
  std::vector<TraceSpan> reversed = spans();
  std::reverse(reversed.begin(), reversed.end());
  CHECK(to_chrome_trace(exchange(), kWorks, kHosts, reversed) ==
        to_chrome_trace(exchange(), kWorks, kHosts, spans()));
}

TEST_CASE("trace: no spans make an empty trace", "[results]") {
  CHECK(json::parse(to_chrome_trace(exchange(), kWorks, kHosts, {}))["traceEvents"].empty());
}
