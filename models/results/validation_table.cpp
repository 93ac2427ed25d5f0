// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "models/base/units.h"
#include "models/results/validation.h"

namespace lockstep::results {

namespace {

std::string percent(double share, bool is_signed = true) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), is_signed ? "%+.1f %%" : "%.1f %%", 100 * share);
  return text.data();
}

using Line = std::vector<std::string>;

/// Of UTF-8.
std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

/// The first column to the left, the others to the right, each as wide as its widest cell.
std::string aligned(const std::vector<Line>& lines) {
  std::vector<std::size_t> width(lines.front().size());
  for (const Line& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      width[i] = std::max(width[i], characters(line[i]));
  std::string text;
  for (const Line& line : lines) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(width[i] - characters(line[i]), ' ');
      out += i == 0 ? line[i] + space : "  " + space + line[i];
    }
    text += out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

/// "!": flagged. "*": predicted after it was measured.
std::string mark(const CaseScore& score) {
  return std::string(score.from.flags.empty() ? "" : "!") + (score.from.predicted_first ? "" : "*");
}

std::string in_words(const ErrorSummary& errors) {
  return "mean " + percent(errors.mean, false) + ", 90th percentile " + percent(errors.p90, false) +
         ", worst " + percent(errors.worst, false) + " (" + errors.worst_case + ")";
}

std::string summary_of(const Validation& validation) {
  std::string text = "\nabsolute error of the iteration over " +
                     std::to_string(validation.errors.cases) +
                     " cases: " + in_words(validation.errors) + "\n";
  if (validation.coverage_90)
    text += "90 % intervals hold " + percent(*validation.coverage_90, false) +
            " of the cases; on average they are ±" +
            percent(*validation.mean_interval_half_width, false) + "\n";
  if (validation.mean_noise)
    text += "noise: the rounds of a case differ by ±" + percent(*validation.mean_noise, false) +
            " on average\n";
  if (validation.mean_regret) {
    std::array<char, 16> tau{};
    std::snprintf(tau.data(), tau.size(), "%.2f", *validation.mean_kendall_tau);
    text += "choices, over " + std::to_string(validation.groups.size()) +
            " group(s): Kendall's tau " + tau.data() + ", regret of the predicted best " +
            percent(*validation.mean_regret, false) + "\n";
  }
  if (validation.datasheet_errors.cases > 0)
    text += "from a datasheet, without calibration of computing: " +
            in_words(validation.datasheet_errors) + "\n";
  return text;
}

}  // namespace

std::string to_table(const Validation& validation) {
  std::vector<Line> lines{{"case", "", "predicted", "measured", "error", "interval", "in", "noise",
                           "compute", "exposed", "waiting", "idle"}};
  bool has_flags = false;
  bool has_late = false;
  for (const CaseScore& score : validation.cases) {
    const auto& interval = score.from.interval_90;
    const double predicted = score.from.predicted.iteration;
    has_flags = has_flags || !score.from.flags.empty();
    has_late = has_late || !score.from.predicted_first;
    lines.push_back(
        {score.from.name, mark(score), format_seconds(predicted),
         format_seconds(score.measured.iteration), percent(score.error.iteration),
         interval ? "±" + percent((interval->second - interval->first) / 2 / predicted, false)
                  : "-",
         interval ? (score.covered ? "yes" : "no") : "-", "±" + percent(score.noise, false),
         percent(score.error.compute), percent(score.error.exposed), percent(score.error.waiting),
         percent(score.error.idle)});
  }
  std::string text;
  if (!validation.cases.empty()) text = aligned(lines) + summary_of(validation);
  if (has_flags)
    text += "! outside what was calibrated, or not measured: see \"flags\" in the report\n";
  if (has_late) text += "* predicted after it was measured\n";
  for (const auto& [name, why] : validation.failed)
    text += "not run: " + name + ": " + why + "\n";
  return text;
}

}  // namespace lockstep::results
