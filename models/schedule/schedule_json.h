// SPDX-License-Identifier: Apache-2.0
// The JSON form of a schedule: all steps of all ranks written out, for people and other tools.
#pragma once

#include <string>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// One object: name, ranks, buffers, codes if there are any, and fragments. A fragment holds its
/// programs, one per rank, or a single one if it is the same on all ranks: the shape (rounds,
/// steps_per_round, rounds_in_flight) and the list of steps, each on a line of its own, an unused
/// slot as {}. Buffers are named, so their names must differ; what has its default value is left
/// out.
std::string to_json(const Schedule& schedule);
/// The schedule of such a text: the same steps in the same rounds. Checks form and names only, the
/// rest is verify()'s. Throws ConfigError; `where` is the file, the place a JSON pointer:
/// "ring.json: /fragments/0/programs/1/steps/3/verb: …".
Schedule parse_schedule(const std::string& text, const std::string& where);

}  // namespace lockstep::schedule
