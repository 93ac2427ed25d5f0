// SPDX-License-Identifier: Apache-2.0
#include "models/cost/cost_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "models/base/errors.h"
#include "models/cost/threads.h"

namespace lockstep::cost {

namespace {

using network::Network;
using network::Work;
using network::WorkKind;

/// The roofline (Williams, Waterman, Patterson 2009): as fast as the FLOPs or the bytes allow,
/// whichever is slower. A bound from below; what a real kernel adds is not known here.
LayerCost roofline(const Work& work, const Network& network, const Machine& machine,
                   std::int32_t threads) {
  const network::Quantities row = network::quantities(work, network);
  const double flops = machine.flops_per_core * threads;
  const double bytes =
      std::min(machine.memory_bytes_per_second, machine.core_memory_bytes_per_second * threads);
  LayerCost cost;
  cost.threads = threads;
  cost.seconds.per_unit = std::max(row.flops_per_unit / flops, row.bytes_per_unit / bytes);
  cost.seconds.fixed = row.bytes_fixed / bytes;
  cost.seconds.relative_residual = kRooflineSpread;
  cost.memory_bytes_per_unit = row.bytes_per_unit;
  return cost;
}

const LayerCost* find_codec(const Machine& machine, const compression::Codec& codec,
                            const char* direction) {
  const std::string wanted = codec_signature(name_of(codec));
  const std::string like = codec_signature(name_of(codec.method)) + ":";
  const LayerCost* similar = nullptr;
  for (const LayerCost& row : machine.layers) {
    if (row.direction != direction) continue;
    if (row.signature == wanted) return &row;
    if (similar == nullptr && row.signature.starts_with(like)) similar = &row;
  }
  return similar;
}

std::string whole(double count) {
  return std::to_string(static_cast<std::int64_t>(count));
}

}  // namespace

CostModel::CostModel(const Network& network, network::WorkTable works,
                     std::vector<std::int32_t> batch_of_rank, std::int32_t threads,
                     std::vector<const Machine*> machines, std::vector<double> speed,
                     WithinHosts within_hosts, std::vector<compression::Group> codes)
    : CostModel(std::move(machines), std::move(speed), within_hosts) {
  works_ = std::move(works);
  codes_ = std::move(codes);
  batch_of_rank_ = std::move(batch_of_rank);
  threads_ = threads;
  for (const Machine* machine : kinds_) {
    std::vector<Row>& rows = rows_.emplace_back();
    for (const Work& work : works_) {
      const RowName name = row_name(work, network);
      const std::int32_t of_row = threads_of(work);
      const std::optional<ThreadedCost> measured = cost_with_threads(*machine, name, of_row);
      Row& row = rows.emplace_back();
      row.name = name.signature + (name.direction.empty() ? "" : ", ") + name.direction;
      row.measured = measured.has_value();
      row.cost = measured ? measured->cost : roofline(work, network, *machine, of_row);
      if (measured && !measured->is_inside())
        row.threads_outside = "with " + std::to_string(of_row) + " threads, measured with " +
                              std::to_string(measured->fewest) + " to " +
                              std::to_string(measured->most);
    }
  }
}

CostModel::CostModel(std::vector<const Machine*> machines, std::vector<double> speed,
                     WithinHosts within_hosts)
    : within_hosts_(within_hosts), machines_(std::move(machines)), speed_(std::move(speed)) {
  LOCKSTEP_CHECK(machines_.size() == speed_.size(), "one machine and one speed per rank");
  for (const Machine* machine : machines_) {
    const auto known = std::find(kinds_.begin(), kinds_.end(), machine);
    kind_of_rank_.push_back(static_cast<std::size_t>(known - kinds_.begin()));
    if (known == kinds_.end()) kinds_.push_back(machine);
  }
}

double CostModel::units(Rank rank, std::size_t work) const {
  return static_cast<double>(
      network::units(works_[work], batch_of_rank_[static_cast<std::size_t>(rank)]));
}

Demand CostModel::compute(Rank rank, std::int32_t work) const {
  const auto index = static_cast<std::size_t>(rank);
  const auto row = static_cast<std::size_t>(work);
  const LayerCost& cost = rows_[kind_of_rank_[index]][row].cost;
  const double count = units(rank, row);
  const bool is_input = works_[row].kind == WorkKind::Input;
  const double decoders = is_input ? works_[row].decoders : 1;
  return {.seconds = cost.seconds_of(count) / speed_[index] / decoders,
          .cores = is_input ? decoders : static_cast<double>(threads_of(works_[row])),
          .memory_bytes = cost.memory_bytes_per_unit * count};
}

bool CostModel::are_alike(Rank a, Rank b) const {
  const auto i = static_cast<std::size_t>(a);
  const auto j = static_cast<std::size_t>(b);
  return kind_of_rank_[i] == kind_of_rank_[j] && speed_[i] == speed_[j] &&
         (works_.empty() || batch_of_rank_[i] == batch_of_rank_[j]);
}

const ExchangeCosts* CostModel::exchanges(Rank rank) const {
  const auto found = machine(rank).exchanges.find(within_hosts_.how);
  return found != machine(rank).exchanges.end() && !found->second.together.empty() ? &found->second
                                                                                   : nullptr;
}

bool CostModel::polls(Rank rank) const {
  return works_.empty() && exchanges(rank) != nullptr;
}

PolledMessage CostModel::polled_message(Rank receiver, Nearness nearness,
                                        schedule::Operator combine, std::uint64_t bytes,
                                        double since) const {
  PolledMessage message = cost::polled_message(*exchanges(receiver), nearness, walked(since),
                                               static_cast<double>(bytes), combine);
  const double speed = speed_[static_cast<std::size_t>(receiver)];
  message.send_seconds /= speed;
  message.receive_seconds /= speed;
  return message;
}

double CostModel::turn_seconds(Rank rank) const {
  return cost::turn_seconds(*exchanges(rank)) / speed_[static_cast<std::size_t>(rank)];
}

/// A host that walks through less memory than that touches everything again sooner.
double CostModel::walked(double since) const {
  return std::min(since, within_hosts_.working_set_bytes);
}

Demand CostModel::polled_combine(Rank rank, std::uint64_t bytes, double since) const {
  const double count = static_cast<double>(bytes);
  return {.seconds = polled_combine_seconds(*exchanges(rank), walked(since), count) /
                     speed_[static_cast<std::size_t>(rank)],
          .cores = 1,
          .memory_bytes = 3 * count};
}

Demand CostModel::combine(Rank rank, std::uint64_t bytes) const {
  const double count = static_cast<double>(bytes);
  return {.seconds = count * machine(rank).combine_seconds_per_byte /
                     speed_[static_cast<std::size_t>(rank)],
          .cores = 1,
          .memory_bytes = 3 * count};  // both operands read, one written
}

Demand CostModel::coding(Rank rank, const schedule::Step& step, bool is_first) const {
  const compression::Group& group = codes_[static_cast<std::size_t>(step.target)];
  const compression::Codec& codec = group.codec;
  if (step.verb == schedule::Verb::Encode && !is_first)
    return codec_row(rank, group, kEncodeNext, efforts_of(codec).encode);
  const bool encodes = step.verb == schedule::Verb::Encode;
  Demand demand = encodes ? codec_row(rank, group, kEncode, efforts_of(codec).encode)
                          : codec_row(rank, group, kDecode, efforts_of(codec).decode);
  if (step.combine == schedule::Operator::Sum) {
    const Demand another = codec_row(rank, group, kDecodeAnother, efforts_of(codec).decode);
    const auto others = static_cast<double>(machines_.size() - 1);
    demand.seconds += others * another.seconds;
    demand.memory_bytes += others * another.memory_bytes;
  }
  add_copy(rank, group, demand);
  return demand;
}

/// Several tensors are copied next to each other before they are encoded, and apart once decoded:
/// read, and the place they go to read and written.
void CostModel::add_copy(Rank rank, const compression::Group& group, Demand& demand) const {
  if (group.tensors.size() < 2) return;
  const double bytes = 3 * sizeof(float) * static_cast<double>(group.elements());
  demand.memory_bytes += bytes;
  demand.seconds +=
      bytes / machine(rank).core_memory_bytes_per_second / speed_[static_cast<std::size_t>(rank)];
}

/// Of a codec that was measured with another parameter only, what was measured there.
Demand CostModel::codec_row(Rank rank, const compression::Group& group, const char* direction,
                            const compression::Effort& effort) const {
  const auto elements = static_cast<double>(group.elements());
  const Machine& here = machine(rank);
  Demand demand{.cores = 1, .memory_bytes = effort.bytes_per_element * elements};
  if (const LayerCost* row = find_codec(here, group.codec, direction))
    demand.seconds = row->seconds_of(elements);
  else
    demand.seconds = std::max(effort.flops_per_element * elements / here.flops_per_core,
                              demand.memory_bytes / here.core_memory_bytes_per_second);
  demand.seconds /= speed_[static_cast<std::size_t>(rank)];
  return demand;
}

MessageCost CostModel::message_cost(Rank rank, bool within_host) const {
  const MessageCost& tcp = machine(rank).message;
  if (!within_host) return machine(rank).between_hosts.value_or(tcp);
  const ExchangeCosts* costs = exchanges(rank);
  if (within_hosts_.how == IntraHost::Tcp || costs == nullptr) return tcp;
  return cost::message_cost(*costs, within_hosts_.working_set_bytes, tcp, within_hosts_.how);
}

MessageDemand CostModel::message(Rank sender, Rank receiver, bool within_host,
                                 schedule::Operator combine) const {
  const double send_speed = speed_[static_cast<std::size_t>(sender)];
  const double receive_speed = speed_[static_cast<std::size_t>(receiver)];
  const Machine& to = machine(receiver);
  const MessageCost out = message_cost(sender, within_host);
  const MessageCost in = message_cost(receiver, within_host);
  const bool adds = combine != schedule::Operator::Replace;
  const bool direct = within_host && takes_directly();
  return {.send_overhead_seconds = out.send_overhead_seconds / send_speed,
          .receive_overhead_seconds = in.receive_overhead_seconds / receive_speed,
          .send_core_seconds_per_byte = out.send_core_seconds_per_byte / send_speed,
          .receive_core_seconds_per_byte =
              (in.receive_core_seconds_per_byte + (adds ? to.combine_seconds_per_byte : 0)) /
              receive_speed,
          .send_memory_bytes_per_byte = direct ? 0.0 : 2.0,  // read, written to the socket's buffer
          .receive_memory_bytes_per_byte = adds ? 3.0 : 2.0,
          .latency_seconds = std::max(out.latency_seconds, in.latency_seconds),
          .window_bytes = std::min(out.window_bytes, in.window_bytes)};
}

std::vector<std::string> CostModel::estimated_rows() const {
  std::vector<std::string> names;
  for (std::size_t kind = 0; kind < rows_.size(); ++kind)
    for (const Row& row : rows_[kind])
      if (!row.measured) names.push_back(kinds_[kind]->name + ": " + row.name);
  for (const Machine* kind : kinds_)
    for (const compression::Group& group : codes_) {
      const std::string name = kind->name + ": " + codec_signature(name_of(group.codec));
      const bool is_new = std::find(names.begin(), names.end(), name) == names.end();
      if (is_new && find_codec(*kind, group.codec, kEncode) == nullptr) names.push_back(name);
    }
  if (within_hosts_.how != IntraHost::Tcp)
    for (const Machine* kind : kinds_)
      if (!kind->exchanges.contains(within_hosts_.how))
        names.push_back(kind->name + ": messages through " + name_of(within_hosts_.how) +
                        ", taken for TCP's");
  return names;
}

std::vector<std::string> CostModel::extrapolated_rows() const {
  std::vector<std::string> names;
  for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
    for (std::size_t work = 0; work < works_.size(); ++work) {
      const Row& row = rows_[kind][work];
      if (!row.threads_outside.empty())
        names.push_back(kinds_[kind]->name + ": " + row.name + " " + row.threads_outside);
      if (!row.measured || row.cost.samples.empty()) continue;
      const bool per_parameter = network::is_per_parameter(works_[work].kind);
      for (std::size_t rank = 0; rank < kind_of_rank_.size(); ++rank) {
        const double count = units(static_cast<Rank>(rank), work);
        if (kind_of_rank_[rank] != kind || row.cost.was_measured_at(count)) continue;
        names.push_back(
            kinds_[kind]->name + ": " + row.name + (per_parameter ? " of " : " at batch ") +
            whole(count) + (per_parameter ? " parameters" : "") + ", measured from " +
            whole(row.cost.samples.front().units) + " to " + whole(row.cost.samples.back().units));
        break;
      }
    }
  }
  return names;
}

double CostModel::compute_spread(Rank rank) const {
  const std::size_t kind = kind_of_rank_[static_cast<std::size_t>(rank)];
  double total = 0;
  double squares = 0;
  for (std::size_t work = 0; work < works_.size(); ++work) {
    if (works_[work].kind == WorkKind::Input) continue;
    const double seconds = compute(rank, static_cast<std::int32_t>(work)).seconds;
    const double error = seconds * rows_[kind][work].cost.seconds.relative_residual;
    total += seconds;
    // Measured rows err independently of one another; rooflines all err to the same side.
    squares += rows_[kind][work].measured ? error * error : 0;
  }
  double estimated = 0;
  for (std::size_t work = 0; work < works_.size(); ++work)
    if (!rows_[kind][work].measured)
      estimated += kRooflineSpread * compute(rank, static_cast<std::int32_t>(work)).seconds;
  return total > 0 ? std::sqrt(squares + estimated * estimated) / total : 0;
}

Interval interval_90(double seconds, std::initializer_list<double> deviations) {
  double squares = 0;
  for (const double deviation : deviations)
    squares += deviation * deviation;
  constexpr double kNormal90 = 1.645;  // standard deviations on either side that hold 90 %
  const double half = kNormal90 * std::sqrt(squares);
  return {std::max(0.0, seconds - half), seconds + half};
}

}  // namespace lockstep::cost
