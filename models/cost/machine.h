// SPDX-License-Identifier: Apache-2.0
// The parameters of one kind of host: measured by `lockstep calibrate`, or written by hand from a
// datasheet. Every figure says where it came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/base/intra_host.h"
#include "models/network/network.h"
#include "models/network/work.h"

namespace lockstep::cost {

enum class Origin : std::uint8_t { Measured, Datasheet };

/// A fitted line: seconds = fixed + per_unit × units, with what the fit left over.
struct Line {
  double fixed = 0;     // seconds
  double per_unit = 0;  // seconds per image, or per byte
  /// Of a row: root mean square of what a sample differs from the line between its neighbours, as a
  /// share. Of messages: of (measured / fitted − 1). 0 for hand-written figures.
  double relative_residual = 0;
};

/// Under which name a row of a work table is measured: rows of different networks that do the same
/// arithmetic share one.
struct RowName {
  std::string signature;  // of the layer; or "input 28x28x1", "loss 10", "update, lars"
  std::string direction;  // "forward", "backward"; "" where there is only one
};
RowName row_name(const network::Work& work, const network::Network& network);

/// The same of a codec: "codec top-k:0.01" and a direction. A row is per element of the group.
inline constexpr const char* kEncode = "encode";
inline constexpr const char* kEncodeNext = "encode, next stage";
inline constexpr const char* kDecode = "decode";
inline constexpr const char* kDecodeAnother = "decode, another rank's";
std::string codec_signature(const std::string& codec);

/// One measurement: what it took for so many units (images, parameters, bytes).
struct Sample {
  double units = 0;
  double seconds = 0;
};

/// One row: what it takes as a line over images (update: over parameters).
struct LayerCost {
  std::string signature;  // RowName
  std::string direction;
  std::int32_t threads = 1;
  Line seconds{};
  double memory_bytes_per_unit = 0;  // traffic between cache and memory, per image or parameter
  std::vector<Sample> samples{};     // what was measured, ascending in units; may be empty

  /// Between two samples the straight line through them: caches give a row a knee that no single
  /// line has. Outside them, and without any, the fitted line; outside it starts at the nearest
  /// sample.
  double seconds_of(double units) const;
  bool was_measured_at(double units) const {
    return !samples.empty() && samples.front().units <= units && units <= samples.back().units;
  }
};

/// Costs of TCP messages between two processes: on one host (loopback) or between hosts, where the
/// wire itself belongs to the topology.
struct MessageCost {
  double send_overhead_seconds = 0;
  double receive_overhead_seconds = 0;
  double send_core_seconds_per_byte = 0;
  double receive_core_seconds_per_byte = 0;
  double latency_seconds = 0;
  std::uint64_t window_bytes = 0;
  double relative_residual = 0;
};

/// What messages of one size cost two ranks of one host that wait for nothing else (so that their
/// communication threads poll), both sending and receiving, as in a ring.
struct MessageSample {
  double working_set = 0;    // bytes of memory that both together walk through
  double bytes = 0;          // of a message
  double send_seconds = 0;   // of the sender's communication lane
  double store_seconds = 0;  // of the receiver's, when the message is stored
  double add_seconds = 0;    // when it is added to what is there
  double round_seconds = 0;  // of a round: each sends one message and adds one
};

/// By size of memory, then by size of message, ascending; every size of memory with several sizes
/// of messages. Empty = not measured.
struct ExchangeCosts {
  std::vector<MessageSample> apart;     // two ranks, a processor for each
  std::vector<MessageSample> together;  // pairs of ranks, a processor for each pair
  std::vector<MessageSample> crowded;   // two pairs on two processors, each pair on both
};

struct Machine {
  std::string name;  // "amd-epyc-2-cores"
  Origin origin = Origin::Datasheet;
  std::string date;  // ISO 8601, of the calibration; "" for a datasheet
  double cores = 1;
  double flops_per_core = 0;                // single-precision peak, one core, FLOP/s
  double memory_bytes_per_second = 0;       // of the whole host
  double core_memory_bytes_per_second = 0;  // one core alone can move
  double loopback_bytes_per_second = 0;     // one host's loopback, all flows together
  MessageCost message;                      // TCP between two processes
  /// Between hosts, where that was measured; otherwise `message` serves there too, although on one
  /// host the sender's processor does much of the receiver's work.
  std::optional<MessageCost> between_hosts;
  std::map<IntraHost, ExchangeCosts> exchanges;  // between ranks of one host that only wait
  double combine_seconds_per_byte = 0;  // adding floats in place, per byte of the arriving operand
  double combine_residual = 0;
  std::vector<LayerCost> layers;
  /// How much the computing of one iteration differs from that of the next: standard deviation ÷
  /// mean of one rank's, measured alone. Ranks wait for the slowest, so it costs time.
  double iteration_jitter = 0;
  /// Variance ÷ mean, in seconds, of what computing takes when two ranks take turns on each
  /// processor (turns.h).
  double turn_dispersion = 0;
  /// By how much more processor time computing takes under a quota that is close to nothing, ÷ what
  /// it takes without.
  double quota_slowdown = 0;
  /// Spread of one iteration's time about its mean when nothing changes (standard deviation ÷
  /// mean), from repeated calibration passes.
  double run_to_run_residual = 0;

  const LayerCost* find(const std::string& signature, const std::string& direction,
                        std::int32_t threads) const;
};

/// What computing takes, times `factor`: rows and the peak that prices rows nobody measured.
void scale_computing(Machine& machine, double factor);
/// What messages and additions take of processors and in latency, times `factor`.
void scale_messages(Machine& machine, double factor);

/// Reads and writes machine files (format: models/cost/README.md). Throws ConfigError.
Machine parse_machine(const std::string& text, const std::string& where);
Machine load_machine(const std::string& path);
std::string to_json(const Machine& machine);

}  // namespace lockstep::cost
