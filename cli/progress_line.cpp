// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "models/base/units.h"
#include "models/training/batch_growth.h"

namespace lockstep::cli {

ProgressLine::ProgressLine(const training::Job& job, double predicted_seconds,
                           std::int32_t iterations_done)
    : job_(job),
      predicted_seconds_(predicted_seconds),
      iterations_done_(iterations_done),
      on_terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressLine::report(Rank, const exec::IterationReport& report) {
  if (!on_terminal_) return;
  const std::lock_guard lock(mutex_);
  Sum& sum = open_[report.iteration];
  sum.loss += report.loss;
  sum.images += report.images;
  sum.seconds += report.seconds / job_.ranks;
  sum.exposed += report.exposed_seconds / job_.ranks;
  sum.part_squares += report.part_squares;
  sum.whole_square = report.whole_square;
  if (++sum.ranks < job_.ranks) return;
  if (job_.noise_scale)
    noise_scale_.add(
        training::gradient_norms(training::job_in(job_, iterations_done_ + report.iteration),
                                 sum.part_squares, sum.whole_square));
  print(report.iteration, sum);
  open_.erase(report.iteration);
}

void ProgressLine::print(std::int32_t iteration, const Sum& sum) {
  constexpr double kSmoothing = 0.1;
  const double weight = smoothed_seconds_ == 0 ? 1 : kSmoothing;
  smoothed_seconds_ += weight * (sum.seconds - smoothed_seconds_);
  smoothed_exposed_ += weight * (sum.exposed - smoothed_exposed_);
  since_print_ += sum.seconds;
  constexpr double kSecondsBetweenLines = 0.2;
  if (since_print_ < kSecondsBetweenLines) return;
  since_print_ = 0;
  const double left = smoothed_seconds_ * (job_.iterations - iteration - 1);
  std::fprintf(stderr, "\r\033[Kiteration %d/%d  loss %.4f  %.0f images/s  %s/iteration",
               iteration + 1, job_.iterations, sum.loss / sum.images,
               sum.images / smoothed_seconds_, format_seconds(smoothed_seconds_).c_str());
  if (predicted_seconds_ > 0)
    std::fprintf(stderr, " (predicted %s)", format_seconds(predicted_seconds_).c_str());
  if (const std::optional<double> images = noise_scale_.images())
    std::fprintf(stderr, "  noise scale %.0f images", *images);
  std::fprintf(stderr, "  communication %.0f %%  %.0f s left",
               100 * smoothed_exposed_ / smoothed_seconds_, left);
}

void ProgressLine::finish() {
  if (on_terminal_) std::fputs("\r\033[K", stderr);
}

}  // namespace lockstep::cli
