// SPDX-License-Identifier: Apache-2.0
// The learning rate as a pure function of the iteration: scaled with the batch, warmed up, then
// moved by a policy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::training {

/// How the rate moves once it has warmed up; x is the share of the iterations after the warm-up
/// that are done.
enum class RatePolicy : std::uint8_t {
  Constant,
  Step,         // · drop_factor at each of `drops`
  Cosine,       // peak · (end + (1 − end) (1 + cos πx) / 2)  (Loshchilov & Hutter 2017, eq. 5)
  Polynomial,   // peak · (end + (1 − end) (1 − x)^power)
  Exponential,  // peak · end^x: an end above 1 is a rate that rises through training
};

/// By what the rate grows when the batch is k times the one it was found for.
enum class RateScaling : std::uint8_t {
  None,
  Linear,      // k   (Goyal et al. 2017, section 2.1)
  SquareRoot,  // √k  (Krizhevsky 2014)
};

struct RateSchedule {
  RatePolicy policy = RatePolicy::Constant;
  RateScaling scaling = RateScaling::None;
  std::int32_t base_batch = 64;       // of the base rate; with scaling
  std::int32_t warm_up = 0;           // iterations
  std::vector<std::int32_t> drops{};  // Step: iterations from which on the rate is lower
  double drop_factor = 0.1;           // Step
  double end = 0;                     // Cosine, Polynomial, Exponential: last rate ÷ peak
  double power = 1;                   // Polynomial
};

/// Of a global batch of `batch` images: the rate after the warm-up.
double peak_rate(const RateSchedule& schedule, double base, std::int32_t batch);

/// The rate of update `iteration` of `iterations`, from 0. Warming up, it grows by the same amount
/// each iteration, up to the peak: from the base rate where scaling has raised that (Goyal et al.
/// 2017, section 2.2), otherwise from 0.
double rate_at(const RateSchedule& schedule, double base, std::int32_t batch,
               std::int32_t iteration, std::int32_t iterations);

/// For people: "rate 0.8 (0.05 · 16, linear from batch 64), warm-up 94 iterations, then cosine".
std::string describe(const RateSchedule& schedule, double base, std::int32_t batch);

}  // namespace lockstep::training
