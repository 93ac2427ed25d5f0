// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/progress.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::schedule {

namespace {

constexpr std::uint32_t kForever = UINT32_MAX;  // more than there is to be met

}  // namespace

Progress::Progress(const Schedule& schedule, Rank rank, std::int32_t iteration)
    : schedule_(schedule),
      rank_(rank),
      iteration_(iteration),
      first_iteration_(iteration),
      end_(iteration),
      windows_(schedule.fragments.size()) {
  for (std::uint32_t f = 0; f < schedule.fragments.size(); ++f) {
    windows_[f].iteration = windows_[f].complete_before = iteration;
    for (const After& after : schedule.fragments[f].after) {
      const bool in_time = after.fragment < f || (after.fragment < schedule.fragments.size() &&
                                                  after.iterations_back > 0);
      LOCKSTEP_CHECK(in_time, "fragment " + schedule.fragments[f].name +
                                  " waits for one that is not before it");
      watches_.push_back({after.fragment, after.step, after.iterations_back, f});
      if (after.step != After::kWhole) windows_[after.fragment].has_step_watch = true;
    }
  }
  start();
  run_until(iteration + 1);
}

void Progress::run_until(std::int32_t end) {
  LOCKSTEP_CHECK(end >= end_, "what has been begun is to end earlier");
  const std::int32_t before = std::exchange(end_, end);
  if (before == end) return;
  std::vector<std::uint32_t> held;  // by the end until now
  paced_left_ = 0;
  for (std::uint32_t f = 0; f < windows_.size(); ++f) {
    if (!own_pace(f)) continue;
    ++paced_left_;
    if (windows_[f].iteration == before) held.push_back(f);
  }
  for (const std::uint32_t f : held)
    windows_[f].waiting_for = unmet(f);
  for (const std::uint32_t f : held)
    if (windows_[f].iteration == before && !windows_[f].is_open && windows_[f].waiting_for == 0)
      open(f);
}

void Progress::restart() {
  LOCKSTEP_CHECK(done(), "rank " + std::to_string(rank_) + " restarts before it is done");
  ++iteration_;
  start();
  run_until(std::max(end_, iteration_ + 1));
}

/// Within an iteration whatever is waited for is yet to come; in others it may be complete.
bool Progress::is_met(std::uint32_t fragment, const After& after) const {
  if (after.iterations_back == 0 && !own_pace(fragment) && !own_pace(after.fragment))
    return !runs(after.fragment);
  const std::int32_t wanted = windows_[fragment].iteration - after.iterations_back;
  return wanted < first_iteration_ || wanted < windows_[after.fragment].complete_before;
}

std::uint32_t Progress::unmet(std::uint32_t fragment) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(schedule_.fragments[fragment].after,
                            [&](const After& after) { return !is_met(fragment, after); }));
}

void Progress::start() {
  fragments_left_ = 0;
  for (std::uint32_t f = 0; f < windows_.size(); ++f) {
    if (own_pace(f)) continue;
    Window& window = windows_[f];
    window.iteration = iteration_;
    window.is_open = false;
    window.waiting_for = kForever;
    if (!runs(f)) continue;
    ++fragments_left_;
    window.waiting_for = unmet(f);
  }
  // Opening a fragment without steps completes it and may open later ones.
  for (std::uint32_t f = 0; f < windows_.size(); ++f)
    if (!own_pace(f) && windows_[f].waiting_for == 0 && !windows_[f].is_open) open(f);
}

void Progress::open(std::uint32_t fragment) {
  Window& window = windows_[fragment];
  window.shape = schedule_.fragments[fragment].steps->shape(rank_);
  window.is_open = true;
  window.oldest_round = window.next_round = window.oldest_ring = 0;
  window.oldest_index = window.oldest_position = 0;
  const std::uint32_t rounds = std::min(window.shape.rounds, window.shape.rounds_in_flight);
  LOCKSTEP_CHECK(rounds > 0 || window.shape.rounds == 0, "no round may be in flight");
  const std::size_t capacity = std::size_t{rounds} * window.shape.steps_per_round;
  window.steps.resize(capacity);
  window.nodes.resize(capacity);
  window.incomplete.resize(rounds);
  window.channels.clear();
  window.channel = 0;
  advance(fragment);
}

/// Emits rounds as far as the window allows, retires complete ones, and tells who waits for the
/// whole fragment when the last one is.
void Progress::advance(std::uint32_t fragment) {
  Window& window = windows_[fragment];
  const auto in_flight = static_cast<std::uint32_t>(window.incomplete.size());
  for (;;) {
    if (window.oldest_round < window.next_round && window.incomplete[window.oldest_ring] == 0) {
      ++window.oldest_round;
      window.oldest_index += window.shape.steps_per_round;
      window.oldest_position += window.shape.steps_per_round;
      if (++window.oldest_ring == in_flight) window.oldest_ring = window.oldest_position = 0;
    } else if (window.next_round < window.shape.rounds &&
               window.next_round - window.oldest_round < in_flight) {
      emit_round(fragment);
    } else {
      break;
    }
  }
  if (window.oldest_round == window.shape.rounds) finish(fragment);
}

/// Its iteration is complete. One of its own pace goes on to the next.
void Progress::finish(std::uint32_t fragment) {
  Window& window = windows_[fragment];
  const std::int32_t iteration = window.iteration;
  window.complete_before = iteration + 1;
  if (!own_pace(fragment)) {
    --fragments_left_;
    return notify(fragment, After::kWhole, iteration);
  }
  if (++window.iteration == end_) --paced_left_;
  window.is_open = false;
  window.waiting_for = kForever;
  notify(fragment, After::kWhole, iteration);
  if (window.iteration == end_) return;
  window.waiting_for = unmet(fragment);
  if (window.waiting_for == 0) open(fragment);
}

void Progress::emit_round(std::uint32_t fragment) {
  Window& window = windows_[fragment];
  const std::uint32_t width = window.shape.steps_per_round;
  const std::uint32_t round = window.next_round++;
  const std::uint32_t ring = window.ring_of(round);
  const std::uint32_t first = ring * width;
  const std::span<Step> slots(window.steps.data() + first, width);
  // Copied from memory: built in place, byte by byte, both would stall the loads that copy them.
  static constexpr Step kUnused;
  static constexpr Node kFresh;
  std::fill(slots.begin(), slots.end(), kUnused);
  schedule_.fragments[fragment].steps->emit(rank_, round, slots);
  window.incomplete[ring] = width;
  for (std::uint32_t slot = 0; slot < width; ++slot) {
    Node& node = window.nodes[first + slot];
    node = kFresh;
    node.ring = ring;
    link(fragment, round * width + slot, first + slot);
  }
}

/// Counts what the newly emitted step waits for and enters it in the lists of those steps.
void Progress::link(std::uint32_t fragment, StepIndex index, std::uint32_t position) {
  Window& window = windows_[fragment];
  const Step& step = window.steps[position];
  Node& node = window.nodes[position];
  if (step.verb == Verb::Nothing) {
    // Nobody starts an empty slot; it is complete, whatever it says to wait for.
    node.complete = true;
    --window.incomplete[node.ring];
    if (window.has_step_watch) notify(fragment, index, window.iteration);
    return;
  }
  for (std::uint32_t d = 0; d < step.after_count; ++d) {
    const StepIndex dependency = step.after[d];
    LOCKSTEP_CHECK(dependency < index,
                   describe(schedule_, rank_, fragment, index) + " waits for a later step");
    if (dependency < window.oldest_index) continue;
    Node& other = window.nodes[window.position(dependency)];
    if (other.complete) continue;
    node.next_successor[d] = other.first_successor;
    other.first_successor = position * kMaximumDependencies + d;
    ++node.waiting_for;
  }
  if (step.verb == Verb::Send || step.verb == Verb::Recv)
    node.waiting_for += wait_for_channel(window, index, position);
  if (node.waiting_for == 0) make_ready(fragment, index, step.lane);
}

/// 1 if the step must wait for the start of the one before it on its channel, else 0. Fragments go
/// through their channels in turn, so the search goes on where the last one ended.
std::uint32_t Progress::wait_for_channel(Window& window, StepIndex index, std::uint32_t position) {
  const Step& step = window.steps[position];
  const std::size_t known = window.channels.size();
  for (std::size_t looked_at = 0; looked_at < known; ++looked_at) {
    if (++window.channel == known) window.channel = 0;
    Channel& channel = window.channels[window.channel];
    if (channel.peer != step.target || channel.stream != step.stream || channel.verb != step.verb)
      continue;
    const StepIndex before = std::exchange(channel.last, index);
    if (before < window.oldest_index) return 0;
    Node& other = window.nodes[window.position(before)];
    if (other.started) return 0;
    other.channel_successor = position;
    return 1;
  }
  window.channel = known;
  window.channels.push_back({step.target, step.stream, step.verb, index});
  return 0;
}

void Progress::make_ready(std::uint32_t fragment, StepIndex index, Lane lane) {
  std::vector<std::uint64_t>& ready = ready_[static_cast<int>(lane)];
  ready.push_back(std::uint64_t{fragment} << 32 | index);
  std::push_heap(ready.begin(), ready.end(), std::greater<>());
}

StartedStep Progress::start_next(Lane lane) {
  std::vector<std::uint64_t>& ready = ready_[static_cast<int>(lane)];
  std::pop_heap(ready.begin(), ready.end(), std::greater<>());
  const auto fragment = static_cast<std::uint32_t>(ready.back() >> 32);
  const auto index = static_cast<StepIndex>(ready.back());
  ready.pop_back();
  Window& window = windows_[fragment];
  const std::uint32_t position = window.position(index);
  Node& node = window.nodes[position];
  node.started = true;
  if (node.channel_successor != kNone) met(fragment, node.channel_successor);
  return {fragment, index, &window.steps[position], window.iteration};
}

/// One of the things that the step at `position` waited for is there.
void Progress::met(std::uint32_t fragment, std::uint32_t position) {
  Window& window = windows_[fragment];
  if (--window.nodes[position].waiting_for > 0) return;
  make_ready(fragment, window.index(position), window.steps[position].lane);
}

void Progress::complete(const StartedStep& started) {
  Window& window = windows_[started.fragment];
  Node& node = window.nodes[static_cast<std::size_t>(started.step - window.steps.data())];
  LOCKSTEP_CHECK(node.started && !node.complete,
                 describe(schedule_, rank_, started.fragment, started.index) +
                     " is completed without being in progress");
  node.complete = true;
  for (std::uint32_t link = node.first_successor; link != kNone;) {
    const std::uint32_t successor = link / kMaximumDependencies;
    const std::uint32_t next = window.nodes[successor].next_successor[link % kMaximumDependencies];
    met(started.fragment, successor);
    link = next;
  }
  const std::uint32_t left = --window.incomplete[node.ring];
  const bool was_oldest = node.ring == window.oldest_ring;
  if (window.has_step_watch) notify(started.fragment, started.index, window.iteration);
  if (left == 0 && was_oldest) advance(started.fragment);
}

/// All are told before the first one is opened: one without steps would be in its next iteration
/// before it is told of this one.
void Progress::notify(std::uint32_t fragment, StepIndex step, std::int32_t iteration) {
  const auto waits = [&](const Watch& watch) {
    const Window& window = windows_[watch.watcher];
    return watch.fragment == fragment && watch.step == step && !window.is_open &&
           window.iteration - watch.iterations_back == iteration &&
           (!own_pace(watch.watcher) || window.iteration < end_);
  };
  bool opens = false;
  for (const Watch& watch : watches_)
    if (waits(watch)) opens |= --windows_[watch.watcher].waiting_for == 0;
  if (!opens) return;
  for (const Watch& watch : watches_)
    if (waits(watch) && windows_[watch.watcher].waiting_for == 0) open(watch.watcher);
}

}  // namespace lockstep::schedule
