// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/machine_fit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "models/base/errors.h"
#include "models/cost/fit.h"

namespace lockstep::exec {

namespace {

using cost::LayerCost;
using network::Work;
using network::WorkKind;

double units_of(const Work& work, std::int32_t batch) {
  return static_cast<double>(network::units(work, batch));
}

/// Traffic per unit that explains the slow-down beside the stream: the median over the batches at
/// which that was measured. A slow-down within the noise says nothing.
double memory_per_unit(const Work& work, std::size_t row, const std::vector<RowSamples>& samples,
                       double neighbour, double capacity) {
  constexpr double kNoise = 1.02;
  std::vector<double> per_unit;
  for (const RowSamples& sample : samples) {
    if (sample.beside.empty()) continue;
    const double slowed = sample.beside[row] / sample.alone[row];
    const double rate =
        slowed > kNoise
            ? cost::memory_traffic(sample.alone[row], sample.beside[row], neighbour, capacity)
            : 0;
    per_unit.push_back(rate * sample.alone[row] / units_of(work, sample.batch));
  }
  return per_unit.empty() ? 0 : cost::median(std::move(per_unit));
}

/// Whether two rows are measured under one name though they work on different elements.
bool differ_by_count(const Work& a, const Work& b) {
  if (!network::is_per_parameter(a.kind) || a.kind != b.kind) return false;
  const network::Network none;  // of elements of the flat buffers: no network is asked
  return cost::row_name(a, none).signature == cost::row_name(b, none).signature;
}

/// A point per batch. What is done per parameter does not depend on the batch: a point for every
/// such row of the table.
std::vector<cost::Sample> points_of(const network::WorkTable& works, std::size_t row,
                                    const std::vector<RowSamples>& samples) {
  constexpr double kShortest = 1e-9;  // what a clock may call nothing
  std::map<double, std::vector<double>> seconds_at;
  for (std::size_t other = row; other < works.size(); ++other) {
    if (other != row && !differ_by_count(works[row], works[other])) continue;
    for (const RowSamples& sample : samples)
      seconds_at[units_of(works[other], sample.batch)].push_back(
          std::max(sample.alone[other], kShortest));
  }
  std::vector<cost::Sample> points;
  for (auto& [units, seconds] : seconds_at)
    points.push_back({units, cost::median(std::move(seconds))});
  return points;
}

LayerCost* find(cost::Machine& machine, const cost::RowName& name, std::int32_t threads) {
  for (LayerCost& cost : machine.layers)
    if (cost.signature == name.signature && cost.direction == name.direction &&
        cost.threads == threads)
      return &cost;
  return nullptr;
}

void fit(LayerCost& cost) {
  cost.seconds = cost::fit_line(cost.samples);
  cost.seconds.relative_residual = cost::interpolation_residual(cost.samples);
}

}  // namespace

void add_rows(cost::Machine& machine, const network::WorkTable& works, const TimedRows& rows,
              const std::vector<RowSamples>& samples) {
  for (std::size_t row = 0; row < works.size(); ++row) {
    const Work& work = works[row];
    const cost::RowName name = cost::row_name(work, rows.network);
    if (work.kind == WorkKind::Input && !rows.with_input) continue;
    if (find(machine, name, rows.threads)) continue;  // another network has the same row
    LayerCost cost{
        .signature = name.signature, .direction = name.direction, .threads = rows.threads};
    cost.samples = points_of(works, row, samples);
    fit(cost);
    cost.memory_bytes_per_unit =
        memory_per_unit(work, row, samples, rows.neighbour, machine.memory_bytes_per_second);
    machine.layers.push_back(cost);
  }
}

namespace {

/// The row that a work is measured under, made if it is not there.
LayerCost& row_of(cost::Machine& machine, const Work& work, std::int32_t threads) {
  const network::Network none;  // neither its name nor its bytes depend on it
  const cost::RowName name = cost::row_name(work, none);
  if (LayerCost* row = find(machine, name, threads)) return *row;
  const LayerCost* sgd = find(machine, cost::row_name({.kind = WorkKind::Update}, none), threads);
  LOCKSTEP_CHECK(sgd != nullptr, "SGD's updates come first");
  const double ratio = network::quantities(work, none).bytes_per_unit /
                       network::quantities({.kind = WorkKind::Update}, none).bytes_per_unit;
  return machine.layers.emplace_back(
      LayerCost{.signature = name.signature,
                .direction = name.direction,
                .threads = threads,
                .memory_bytes_per_unit = ratio * sgd->memory_bytes_per_unit});
}

}  // namespace

void add_per_parameter(cost::Machine& machine, const network::WorkTable& works,
                       std::int32_t threads, const RowSamples& sample) {
  for (std::size_t row = 0; row < works.size(); ++row) {
    if (!network::is_per_parameter(works[row].kind)) continue;
    LayerCost& cost = row_of(machine, works[row], threads);
    for (const cost::Sample& point : points_of(works, row, {sample})) {
      const auto place =
          std::lower_bound(cost.samples.begin(), cost.samples.end(), point.units,
                           [](const cost::Sample& at, double units) { return at.units < units; });
      if (place == cost.samples.end() || place->units != point.units)
        cost.samples.insert(place, point);
    }
    fit(cost);
  }
}

// The processors' time per message follows from tiny messages, per byte from large ones. What a
// message takes beyond that, when nothing else is on its way, is latency; how far ping-pongs of all
// sizes are from the line through them is what we claim to know messages by.
cost::MessageCost fit_messages(const MessageSamples& samples) {
  cost::MessageCost message;
  message.send_overhead_seconds = samples.small.send_core_seconds;
  message.receive_overhead_seconds = samples.small.receive_core_seconds;
  const double bytes = static_cast<double>(samples.large.bytes);
  message.send_core_seconds_per_byte =
      std::max(0.0, samples.large.send_core_seconds - message.send_overhead_seconds) / bytes;
  message.receive_core_seconds_per_byte =
      std::max(0.0, samples.large.receive_core_seconds - message.receive_overhead_seconds) / bytes;

  std::vector<cost::Sample> points;
  for (const PingPong& sample : samples.ping_pongs)
    points.push_back({static_cast<double>(sample.bytes), sample.one_way_seconds});
  const cost::Line line = cost::fit_line(points);
  message.latency_seconds =
      std::max(0.0, line.fixed - message.send_overhead_seconds - message.receive_overhead_seconds);
  message.relative_residual = line.relative_residual;
  // A single small message may cost less than one of many in a row, because nobody sleeps: what it
  // takes is then all that its overheads can be.
  const double overheads = message.send_overhead_seconds + message.receive_overhead_seconds;
  if (overheads > line.fixed && line.fixed > 0) {
    message.send_overhead_seconds *= line.fixed / overheads;
    message.receive_overhead_seconds *= line.fixed / overheads;
  }
  return message;
}

void charge_kernel(Stream& stream) {
  const double rest =
      stream.machine_core_seconds - stream.send_core_seconds - stream.receive_core_seconds;
  stream.send_core_seconds += std::max(0.0, rest) / 2;
  stream.receive_core_seconds += std::max(0.0, rest) / 2;
}

void add_messages(cost::Machine& machine, const MessageSamples& samples) {
  machine.message = fit_messages(samples);
  const double bytes = static_cast<double>(samples.large.bytes);
  machine.combine_seconds_per_byte =
      std::max(0.0, samples.combining.receive_core_seconds - samples.large.receive_core_seconds) /
      bytes;
  const double one_way = bytes / samples.large.seconds;
  const double both_ways = 2 * bytes / samples.both_ways.seconds;
  machine.loopback_bytes_per_second = std::max(one_way, both_ways);
}

double relative_spread(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values)
    sum += value;
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values)
    squares += (value - mean) * (value - mean);
  return values.size() > 1 ? std::sqrt(squares / static_cast<double>(values.size() - 1)) / mean : 0;
}

double robust_spread(const std::vector<double>& values) {
  const double middle = cost::median(values);
  std::vector<double> distances;
  for (const double value : values)
    distances.push_back(std::abs(value - middle));
  return cost::median(std::move(distances)) / 0.6745 / middle;
}

double robust_dispersion(const std::vector<double>& values) {
  const double spread = robust_spread(values);
  return spread * spread * cost::median(values);
}

}  // namespace lockstep::exec
