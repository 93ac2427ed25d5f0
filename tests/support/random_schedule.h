// SPDX-License-Identifier: Apache-2.0
// Schedules made at random, to hold code that must work for all of them to its contract.
#pragma once

#include "models/base/random.h"
#include "models/schedule/schedule.h"

namespace lockstep::support {

/// Up to six fragments of up to six rounds of up to five steps, the shape another on every rank;
/// some fragments and rounds are empty. Steps are valid one by one and their dependencies lead
/// back, but messages need not pair up and accesses may race.
schedule::Schedule random_schedule(Random& random, std::int32_t ranks);

}  // namespace lockstep::support
