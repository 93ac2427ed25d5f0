// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/spanning.h"

#include "models/base/errors.h"

namespace lockstep::schedule {

Schedule spanning(const Schedule& schedule, std::int32_t iterations) {
  const auto each = static_cast<std::uint32_t>(schedule.fragments.size() + 1);
  const auto number = [&](std::int32_t iteration, std::uint32_t fragment) {
    return static_cast<std::uint32_t>(iteration) * each + fragment;
  };
  Schedule all = schedule;
  all.fragments.clear();
  for (std::int32_t i = 0; i < iterations; ++i) {
    Fragment end{.name = "end of iteration " + std::to_string(i),
                 .steps = std::make_shared<StepList>(std::vector<std::vector<Step>>(1)),
                 .after = {}};
    for (std::uint32_t f = 0; f < schedule.fragments.size(); ++f) {
      Fragment fragment = schedule.fragments[f];
      LOCKSTEP_CHECK(fragment.when == Recurrence{}, fragment.name + " does not always run");
      fragment.name += " of iteration " + std::to_string(i);
      std::vector<After> after;
      for (const After& before : fragment.after)
        if (before.iterations_back <= i)
          after.push_back({number(i - before.iterations_back, before.fragment), before.step});
      if (i > 0) after.push_back({fragment.own_pace ? number(i - 1, f) : number(i, 0) - 1});
      if (!fragment.own_pace) end.after.push_back({number(i, f)});
      fragment.after = std::move(after);
      fragment.own_pace = false;
      all.fragments.push_back(std::move(fragment));
    }
    all.fragments.push_back(std::move(end));
  }
  return all;
}

}  // namespace lockstep::schedule
