// SPDX-License-Identifier: Apache-2.0
// The JSON form of a job, whose keys are the command line's words with underscores, and the one
// list of its fields with the range of each.
#pragma once

#include <string>

#include "models/training/job.h"

namespace lockstep::training {

/// One object with every field. Sizes are whole numbers of bytes.
std::string to_json(const Job& job);

/// Reads a job; a field that is not there has its default (struct Job). Sizes are whole numbers of
/// bytes or texts with a unit ("4 MiB"). The text of a result file will do too: its "job" is taken.
/// Throws ConfigError: unknown keys (with a suggestion), wrong types, values out of range.
Job parse_job(const std::string& text, const std::string& where);
Job load_job(const std::string& path);

/// Sets the field that a flag names from the flag's text, in the ranges of the job file; `overlap`
/// and `augment` are "on" or "off", lists are "0.5,0.4". `key` is the job file's ("bucket_bytes"),
/// `where` the flag ("--bucket-bytes").
void set_field(Job& job, const std::string& key, const std::string& value,
               const std::string& where);

/// "host", "rack", "4".
std::string name_of(const topology::GroupBy& by);
/// "per-rank", "synchronised".
std::string name_of(BatchNorm batch_norm);
/// "pixels", "jpeg".
std::string name_of(network::InputKind input);
/// "sgd", "nesterov", "lars", "lamb", "adam".
std::string name_of(network::Optimizer optimizer);
/// "constant", "step", "cosine", "polynomial", "exponential".
std::string name_of(RatePolicy policy);
/// "none", "linear", "sqrt".
std::string name_of(RateScaling scaling);
/// "ideal", "flow".
std::string name_of(Fidelity fidelity);

}  // namespace lockstep::training
