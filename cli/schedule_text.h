// SPDX-License-Identifier: Apache-2.0
// A schedule in words.
#pragma once

#include <string>

#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"

namespace lockstep::cli {

/// "4 ranks, all-reduce of 1024 elements of data".
std::string title(const schedule::Schedule& schedule, const schedule::Contract& contract);

/// All steps of one rank, by fragment and round, what they wait for behind them.
std::string steps_in_words(const schedule::Schedule& schedule, Rank rank);

/// Rounds, messages, and bytes against the least that the collective must send. For a schedule that
/// is proven.
std::string summary_in_words(const schedule::Schedule& schedule,
                             const schedule::Contract& contract);

}  // namespace lockstep::cli
