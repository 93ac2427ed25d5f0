// SPDX-License-Identifier: Apache-2.0
#include "exec/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "exec/kernels/share.h"
#include "exec/learning/adam.h"
#include "exec/learning/norm.h"
#include "exec/learning/running_mean.h"
#include "exec/learning/sgd.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using Rule = network::Optimizer;

/// Whether every tensor has a rate of its own.
bool goes_by_norms(Rule rule) {
  return rule == Rule::Lars || rule == Rule::Lamb;
}

AdamStep adam_step(const training::Job& job, float rate, float decay, std::int32_t iteration) {
  AdamStep step{.rate = rate,
                .beta1 = static_cast<float>(job.momentum),
                .beta2 = static_cast<float>(job.update.beta2),
                .epsilon = static_cast<float>(job.update.epsilon),
                .weight_decay = decay};
  step.correct(iteration, job.momentum, job.update.beta2);
  return step;
}

}  // namespace

std::vector<std::string> state_names(Rule rule) {
  switch (rule) {
    case Rule::Sgd:
    case Rule::Nesterov:
    case Rule::Lars:
      return {"momentum_buffer"};
    case Rule::Lamb:
    case Rule::Adam:
      return {"exp_avg", "exp_avg_sq"};
  }
  return {};
}

/// The flat buffers.
struct Optimizer::Flat {
  std::span<float> parameters;
  std::span<const float> gradients;
  std::span<float> first;   // velocity, or first moment
  std::span<float> second;  // second moment; empty without

  Flat part(const Run& run) const {
    const auto of = [&](auto all) { return all.subspan(run.first, run.size()); };
    return {of(parameters), of(gradients), of(first), second.empty() ? second : of(second)};
  }
};

Optimizer::Optimizer(const training::Job& job, const network::Network& network,
                     std::int32_t iterations)
    : job_(job),
      iterations_(iterations),
      flat_count_(network.flat_count),
      state_(network.flat_count * state_names(job.update.optimizer).size()) {
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& parameter : layer.parameters)
      runs_.push_back({.first = parameter.first,
                       .last = parameter.first + parameter.count,
                       .learnt = parameter.learnt,
                       .decays = parameter.is_weight()});
  std::sort(runs_.begin(), runs_.end(),
            [](const Run& a, const Run& b) { return a.first < b.first; });
  if (goes_by_norms(job.update.optimizer)) return;
  // Where tensors need not be told apart, long runs are faster.
  std::vector<Run> merged;
  for (Run run : runs_) {
    run.decays = run.decays && job.update.weight_decay > 0;
    const bool is_alike = !merged.empty() && merged.back().last == run.first &&
                          merged.back().learnt == run.learnt && merged.back().decays == run.decays;
    if (is_alike && run.learnt)
      merged.back().last = run.last;
    else
      merged.push_back(run);
  }
  runs_ = std::move(merged);
}

void Optimizer::update(std::uint64_t first, std::uint64_t count, std::int32_t iteration,
                       std::span<float> parameters, std::span<const float> gradients, Team& team) {
  const Flat flat{parameters, gradients, std::span(state_).first(flat_count_),
                  std::span(state_).subspan(flat_count_)};
  std::vector<Run> runs = runs_in(first, first + count);
  if (goes_by_norms(job_.update.optimizer)) find_ratios(runs, flat, iteration, team);
  team.run([&](std::size_t part) {
    for (const Run& run : runs) {
      const Range mine = exec::share(run.size(), part, team.size());
      Run piece = run;
      piece.first = run.first + mine.first;
      piece.last = run.first + mine.last;
      if (mine.size() > 0) step(piece, flat, iteration);
    }
  });
}

double Optimizer::squared_norm(std::uint64_t first, std::uint64_t count,
                               std::span<const float> values, Team& team) const {
  std::vector<std::span<const float>> blocks;
  for (const Run& run : runs_in(first, first + count))
    for (std::uint64_t at = run.first; run.learnt && at < run.last; at += kNormBlock)
      blocks.push_back(values.subspan(at, std::min<std::uint64_t>(kNormBlock, run.last - at)));
  std::vector<double> sums(blocks.size());
  team.run([&](std::size_t part) {
    const Range mine = exec::share(blocks.size(), part, team.size());
    for (std::size_t b = mine.first; b < mine.last; ++b)
      sums[b] = exec::squared_norm(blocks[b]);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

std::vector<Optimizer::Run> Optimizer::runs_in(std::uint64_t first, std::uint64_t last) const {
  std::vector<Run> runs;
  for (Run run : runs_) {
    if (run.last <= first || run.first >= last) continue;
    run.first = std::max(run.first, first);
    run.last = std::min(run.last, last);
    runs.push_back(run);
  }
  return runs;
}

/// The ratios follow from norms of whole tensors. LAMB's also from the moved moments, which are
/// therefore moved here.
void Optimizer::find_ratios(std::vector<Run>& runs, const Flat& flat, std::int32_t iteration,
                            Team& team) {
  struct Block {
    std::size_t run = 0;
    Run part;
    double parameters = 0, other = 0;  // Σ x²; `other`: gradients, or directions
  };
  std::vector<Block> blocks;
  const bool is_lamb = job_.update.optimizer == Rule::Lamb;
  for (std::size_t r = 0; r < runs.size(); ++r)
    for (std::uint64_t at = runs[r].first; runs[r].learnt && at < runs[r].last; at += kNormBlock) {
      Run part = runs[r];
      part.first = at;
      part.last = std::min<std::uint64_t>(at + kNormBlock, runs[r].last);
      blocks.push_back({.run = r, .part = part});
    }
  team.run([&](std::size_t part) {
    const Range mine = exec::share(blocks.size(), part, team.size());
    for (std::size_t b = mine.first; b < mine.last; ++b) {
      Block& block = blocks[b];
      const Flat data = flat.part(block.part);
      const AdamStep step = adam_step(job_, 0, decay_of(block.part), iteration);
      if (is_lamb) move_moments(data.first, data.second, data.gradients, step);
      if (!block.part.decays) continue;
      block.parameters = exec::squared_norm(data.parameters);
      block.other = is_lamb ? squared_direction(data.parameters, data.first, data.second, step)
                            : exec::squared_norm(data.gradients);
    }
  });
  std::vector<double> parameters(runs.size()), other(runs.size());
  for (const Block& block : blocks) {
    parameters[block.run] += block.parameters;
    other[block.run] += block.other;
  }
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (!runs[r].decays) continue;
    const double size = std::sqrt(parameters[r]), against = std::sqrt(other[r]);
    runs[r].ratio =
        static_cast<float>(is_lamb ? lamb_ratio(size, against)
                                   : lars_ratio(size, against, job_.update.trust,
                                                job_.update.weight_decay, job_.update.epsilon));
  }
}

void Optimizer::step(const Run& run, const Flat& flat, std::int32_t iteration) const {
  const Flat data = flat.part(run);
  if (!run.learnt)
    return move_running_mean(data.parameters, data.gradients,
                             static_cast<float>(network::kBatchNormMomentum));
  const SgdStep sgd_step = this->sgd_step(run, iteration);
  switch (job_.update.optimizer) {
    case Rule::Sgd:
    case Rule::Lars:
      return sgd(data.parameters, data.first, data.gradients, sgd_step);
    case Rule::Nesterov:
      return nesterov(data.parameters, data.first, data.gradients, sgd_step);
    case Rule::Adam:
    case Rule::Lamb: {
      const AdamStep step = adam_step(job_, rate(iteration), decay_of(run), iteration);
      if (job_.update.optimizer == Rule::Adam)
        move_moments(data.first, data.second, data.gradients, step);
      return follow(data.parameters, data.first, data.second, step, run.ratio);
    }
  }
}

SgdStep Optimizer::sgd_step(const Run& run, std::int32_t iteration) const {
  return {.rate = rate(iteration),
          .momentum = static_cast<float>(job_.momentum),
          .weight_decay = decay_of(run),
          .ratio = run.ratio};
}

void Optimizer::apply(std::uint64_t first, std::int64_t parts, std::span<float> parameters,
                      std::span<const float> gradients) {
  const bool adds = parts % job_.ranks != 0;
  const auto iteration = static_cast<std::int32_t>(parts / job_.ranks);
  const bool looks_ahead = job_.update.optimizer == Rule::Nesterov;
  LOCKSTEP_CHECK(looks_ahead || job_.update.optimizer == Rule::Sgd,
                 "gradients are applied in parts, which are no parts of the step");
  for (const Run& run : runs_in(first, first + gradients.size())) {
    const std::span<float> values = parameters.subspan(run.first, run.size());
    const std::span<const float> part = gradients.subspan(run.first - first, run.size());
    constexpr auto kWeight = static_cast<float>(network::kBatchNormMomentum);
    if (!run.learnt) {
      adds ? add_to_running_mean(values, part, kWeight) : move_running_mean(values, part, kWeight);
      continue;
    }
    const std::span<float> velocity = state().subspan(run.first, run.size());
    const SgdStep step = sgd_step(run, iteration);
    if (adds)
      (looks_ahead ? add_to_nesterov : add_to_sgd)(values, velocity, part, step);
    else
      (looks_ahead ? nesterov : sgd)(values, velocity, part, step);
  }
}

float Optimizer::decay_of(const Run& run) const {
  return run.decays ? static_cast<float>(job_.update.weight_decay) : 0.0f;
}

float Optimizer::rate(std::int32_t iteration) const {
  return static_cast<float>(
      training::rate_at(job_.rate, job_.learning_rate, job_.batch, iteration, iterations_));
}

}  // namespace lockstep::exec
