// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "models/base/svg.h"
#include "models/results/validation.h"

namespace lockstep::results {

namespace {

constexpr double kLabels = 330;  // pixels
constexpr double kPlot = 420;
constexpr double kLine = 16;
constexpr double kTop = 44;

/// How far to either side of the prediction the plot reaches: all of it, in steps of 10 %.
double reach_of(const Validation& validation) {
  double reach = 0.2;
  for (const CaseScore& score : validation.cases) {
    const double predicted = score.from.predicted.iteration;
    for (const Parts& round : score.from.rounds)
      reach = std::max(reach, std::abs(round.iteration / predicted - 1));
    if (const auto& interval = score.from.interval_90)
      reach = std::max(reach, std::abs(interval->second / predicted - 1));
  }
  return std::min(1.0, std::ceil(reach * 10) / 10);
}

class Plot {
 public:
  explicit Plot(const Validation& validation)
      : validation_(validation), reach_(reach_of(validation)) {}

  std::string draw() {
    const double bottom = kTop + kLine * static_cast<double>(validation_.cases.size());
    for (double share = -reach_; share <= reach_ + 0.01; share += reach_ / 4) {
      text_ += formatted(
          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n"
          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%+.0f %%</text>\n",
          x_of(share), kTop - 4, x_of(share), bottom, std::abs(share) < 1e-9 ? "#888" : "#e4e4e4",
          x_of(share), kTop - 8, 100 * share + 0.0);
    }
    double y = kTop + kLine / 2;
    for (const CaseScore& score : validation_.cases) {
      draw_case(score, y);
      y += kLine;
    }
    return formatted(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
               "font-family=\"sans-serif\" font-size=\"11\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
               "<text x=\"10\" y=\"18\" font-size=\"13\">%s: measured iterations beside the "
               "predicted ones and their 90 %% intervals</text>\n",
               kLabels + kPlot + 40, bottom + 16, escaped(validation_.suite).c_str()) +
           text_ + "</svg>\n";
  }

 private:
  double x_of(double share) const {
    return kLabels + kPlot / 2 * (1 + std::clamp(share, -reach_, reach_) / reach_);
  }

  void draw_case(const CaseScore& score, double y) {
    const double predicted = score.from.predicted.iteration;
    text_ += formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", kLabels - 8, y + 4) +
             escaped(score.from.name) + (score.from.flags.empty() ? "" : " !") + "</text>\n";
    if (const auto& interval = score.from.interval_90) {
      const double left = x_of(interval->first / predicted - 1);
      text_ += formatted(
          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#8cb8d8\"/>\n", left,
          y - 5, x_of(interval->second / predicted - 1) - left, 10.0);
    }
    for (const Parts& round : score.from.rounds)
      draw_dot(round.iteration / predicted - 1, y, 2, "#fdae4a");
    draw_dot(score.measured.iteration / predicted - 1, y, 3.5,
             !score.from.interval_90 || score.covered ? "#333" : "#c8102e");
  }

  void draw_dot(double share, double y, double radius, const char* colour) {
    text_ += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x_of(share), y,
                       radius, colour);
  }

  const Validation& validation_;
  double reach_;
  std::string text_;
};

}  // namespace

std::string to_svg(const Validation& validation) {
  return Plot(validation).draw();
}

}  // namespace lockstep::results
