// SPDX-License-Identifier: Apache-2.0
#include "exec/training/rank_record.h"

#include "exec/transport/wire.h"

namespace lockstep::exec {

namespace {

using results::IterationFigures;
using results::TraceSpan;

void put_one(std::string& out, double value) {
  put(out, value);
}
void put_one(std::string& out, std::uint64_t value) {
  put(out, value);
}
void put_one(std::string& out, Time time) {
  put(out, time.picoseconds);
}
void put_one(std::string& out, const IterationFigures& figures) {
  for (const Time time :
       {figures.start, figures.end, figures.compute, figures.exposed, figures.waiting})
    put_one(out, time);
}
void put_one(std::string& out, const TraceSpan& span) {
  put(out, span.rank);
  put(out, static_cast<std::uint8_t>(span.lane));
  put(out, span.fragment);
  put(out, span.step);
  put(out, span.iteration);
  put_one(out, span.start);
  put_one(out, span.end);
  put(out, span.bytes);
  put(out, span.peer);
}

void put_one(std::string& out, const Fault& fault) {
  put(out, std::string_view(fault.file));
  put(out, std::string_view(fault.reason));
}

Time take_time(std::string_view& in) {
  return Time{take<std::int64_t>(in)};
}
void take_one(std::string_view& in, double& value) {
  value = take_double(in);
}
void take_one(std::string_view& in, std::uint64_t& value) {
  value = take<std::uint64_t>(in);
}
void take_one(std::string_view& in, Time& time) {
  time = take_time(in);
}
void take_one(std::string_view& in, IterationFigures& figures) {
  for (Time* time :
       {&figures.start, &figures.end, &figures.compute, &figures.exposed, &figures.waiting})
    *time = take_time(in);
}
void take_one(std::string_view& in, TraceSpan& span) {
  span.rank = take<Rank>(in);
  const auto lane = take<std::uint8_t>(in);
  if (lane >= schedule::kLanes) throw WireError("a span of no lane");
  span.lane = static_cast<schedule::Lane>(lane);
  span.fragment = take<std::uint32_t>(in);
  span.step = take<schedule::StepIndex>(in);
  span.iteration = take<std::int32_t>(in);
  span.start = take_time(in);
  span.end = take_time(in);
  span.bytes = take<std::uint64_t>(in);
  span.peer = take<std::int32_t>(in);
}

void take_one(std::string_view& in, Fault& fault) {
  constexpr std::size_t kLongest = 1 << 16;
  fault.file = take_text(in, kLongest);
  fault.reason = take_text(in, kLongest);
}

template <typename Item>
void put_all(std::string& out, const std::vector<Item>& items) {
  put(out, static_cast<std::uint64_t>(items.size()));
  for (const Item& item : items)
    put_one(out, item);
}

template <typename Item>
void take_all(std::string_view& in, std::vector<Item>& items) {
  const auto count = take<std::uint64_t>(in);
  // Every item takes eight bytes or more: so much is checked before any memory is asked for.
  if (count > in.size() / 8) throw WireError("a list is longer than its message");
  items.resize(count);
  for (Item& item : items)
    take_one(in, item);
}

}  // namespace

std::string encode(const RankRecord& record) {
  std::string out;
  put_all(out, record.figures);
  put_all(out, record.loss_sums);
  put_all(out, record.part_squares);
  put_all(out, record.whole_squares);
  put_all(out, record.curve);
  put_all(out, record.bucket_times);
  put_all(out, record.bytes_sent);
  put_all(out, record.spans);
  put_all(out, record.faults);
  put(out, record.images_read);
  put(out, record.input_core_seconds);
  put(out, record.tested);
  put(out, record.correct);
  return out;
}

RankRecord decode_record(std::string_view text) {
  RankRecord record;
  take_all(text, record.figures);
  take_all(text, record.loss_sums);
  take_all(text, record.part_squares);
  take_all(text, record.whole_squares);
  take_all(text, record.curve);
  take_all(text, record.bucket_times);
  take_all(text, record.bytes_sent);
  take_all(text, record.spans);
  take_all(text, record.faults);
  record.images_read = take<std::int64_t>(text);
  record.input_core_seconds = take_double(text);
  record.tested = take<std::int32_t>(text);
  record.correct = take<std::int32_t>(text);
  take_end(text);
  return record;
}

}  // namespace lockstep::exec
