// SPDX-License-Identifier: Apache-2.0
// What comes from outside of a Run: others' traffic that comes and goes, ranks and links that are
// out for a while, ranks that are slow.
#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/errors.h"
#include "sim/runner/run.h"

namespace lockstep::sim {

namespace {

/// Until something happens that does so every `mean` seconds on average.
Time exponential(double mean, Random& random) {
  return delay(-mean * std::log(1 - random.uniform()));
}

}  // namespace

/// Traffic that comes and goes is found on with the probability that it has at any moment.
void Run::begin_disturbances() {
  const Disturbances& given = options_.disturbances;
  LOCKSTEP_CHECK(is_flow() || (given.traffic.empty() && given.outages.empty()),
                 "on an ideal network nothing is shared");
  for (std::uint32_t i = 0; i < given.traffic.size(); ++i) {
    const Disturbances::Traffic& traffic = given.traffic[i];
    constexpr std::uint64_t kStream = 0x7472616666696300;  // none that ranks draw from
    Random& random = traffic_random_.emplace_back(options_.seed, kStream, i);
    const bool comes_and_goes = traffic.off_seconds > 0;
    const double share_on = traffic.on_seconds / (traffic.on_seconds + traffic.off_seconds);
    traffic_on_.push_back(!comes_and_goes || random.uniform() < share_on);
    if (comes_and_goes)
      push(exponential(traffic_on_[i] ? traffic.on_seconds : traffic.off_seconds, random), kTurned,
           i);
  }
  for (std::uint32_t i = 0; i < given.outages.size(); ++i) {
    push(given.outages[i].from, kFails, i);
    push(given.outages[i].until, kRecovers, i);
    is_out_.push_back(false);
  }
  for (const Disturbances::Traffic& traffic : given.traffic)
    set_left(traffic.link);
}

void Run::turn_traffic(std::uint32_t number) {
  const Disturbances::Traffic& traffic = options_.disturbances.traffic[number];
  traffic_on_[number] = !traffic_on_[number];
  set_left(traffic.link);
  const double mean = traffic_on_[number] ? traffic.on_seconds : traffic.off_seconds;
  push(now() + exponential(mean, traffic_random_[number]), kTurned, number);
}

void Run::change_outage(std::uint32_t number, bool begins) {
  const Disturbances::Outage& outage = options_.disturbances.outages[number];
  is_out_[number] = begins;
  if (outage.avoided && !begins) return avoid(outage.link);
  if (outage.link >= 0) return set_left(outage.link);
  rank(outage.rank).outages += begins ? 1 : -1;
  give_turn(outage.rank);
}

void Run::set_left(LinkId link) {
  const Disturbances& given = options_.disturbances;
  double left = 1;
  for (std::size_t i = 0; i < given.traffic.size(); ++i)
    if (given.traffic[i].link == link && traffic_on_[i]) left -= given.traffic[i].share;
  for (std::size_t i = 0; i < given.outages.size(); ++i)
    if (given.outages[i].link == link && is_out_[i]) left = 0;
  fluid_.set_left(cluster_.link_resource(link), std::max(0.0, left));
}

/// What has been sent of a message counts as sent: others on its connection wait for the rest, as
/// TCP's stream would.
void Run::avoid(LinkId link) {
  const std::vector<Fluid::Stopped> stopped = fluid_.stop_all(cluster_.link_resource(link));
  for (std::uint32_t channel = 0; channel < channels_.size(); ++channel)
    add_link_bytes(channel);
  cluster_.avoid(link);
  for (const auto& [number, remaining] : stopped) {
    const Message& message = channels_.message(number);
    const Terms& price = terms(message);
    start_activity((message.posted_first ? price.profile : price.unposted_profile)[0],
                   std::max(remaining, std::numeric_limits<double>::min()), kFlowed, number);
  }
}

double Run::straggling(Rank number, Random& random) const {
  double factor = 1;
  for (const Disturbances::Straggler& straggler : options_.disturbances.stragglers)
    if (straggler.rank == number &&
        (straggler.probability >= 1 || random.uniform() < straggler.probability))
      factor *= straggler.factor;
  return factor;
}

}  // namespace lockstep::sim
