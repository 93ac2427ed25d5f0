// SPDX-License-Identifier: Apache-2.0
// Steps around codes that no collective algorithm has.
#pragma once

#include <cstdint>
#include <memory>

#include "models/schedule/schedule.h"

namespace lockstep::compression {

/// An Encode or Decode as a fragment: `step`, but rank r writes rank r's piece: its `into` begins
/// r × stride elements further on.
std::shared_ptr<const schedule::StepSource> make_coding(const schedule::Step& step,
                                                        std::uint64_t stride = 0);

/// The steps of `sums`, but what is received is not added: the greater counts.
std::shared_ptr<const schedule::StepSource> make_maximum(
    std::shared_ptr<const schedule::StepSource> sums);

/// Piece r of rank q's `from` becomes piece q of rank r's `into`, for all ranks; both are `ranks`
/// equal pieces. Messages from the nearest neighbour to the furthest, one round in flight each way.
std::shared_ptr<const schedule::StepSource> make_all_to_all(std::int32_t ranks,
                                                            const schedule::Slice& from,
                                                            const schedule::Slice& into,
                                                            std::uint8_t stream);

}  // namespace lockstep::compression
