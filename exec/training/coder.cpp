// SPDX-License-Identifier: Apache-2.0
#include "exec/training/coder.h"

#include <algorithm>

namespace lockstep::exec {

using schedule::Slice;
using schedule::Step;

namespace {

/// Calls visit(offset among the elements, part of `hull`) for each run of a code's elements; `hull`
/// begins with the first of them.
template <typename Float, typename Visit>
void for_runs(const schedule::Code& code, std::span<Float> hull, const Visit& visit) {
  std::size_t offset = 0;
  for (const Slice& slice : code.elements) {
    visit(offset, hull.subspan(slice.first - code.elements.front().first, slice.count));
    offset += slice.count;
  }
}

std::span<float> floats(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}
std::span<const float> floats(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

}  // namespace

Coder::Coder(const training::Job& job, const training::Iteration& iteration, Rank rank)
    : iteration_(iteration), ranks_(job.ranks) {
  for (std::size_t c = 0; c < iteration.codes.size(); ++c) {
    const compression::Group& group = iteration.codes[c];
    OfCode& code = codes_.emplace_back();
    code.codec = make_codec(
        group,
        {.seed = job.seed, .group = c, .rank = rank, .ranks = job.ranks, .momentum = job.momentum});
    if (iteration.schedule.codes[c].elements.size() > 1) code.together.resize(group.elements());
  }
}

void Coder::encode(const Step& step, std::int32_t iteration, std::span<const std::byte> from,
                   std::span<std::byte> into) {
  OfCode& mine = of(step);
  if (!means_elements(code(step), step.from)) return mine.codec->encode_next(from, into);
  std::span<const float> gradients = floats(from);
  if (!mine.together.empty()) {
    for_runs(code(step), gradients, [&](std::size_t offset, std::span<const float> run) {
      std::copy(run.begin(), run.end(), mine.together.data() + offset);
    });
    gradients = mine.together;
  }
  mine.codec->encode(gradients, iteration, into);
}

void Coder::decode(const Step& step, std::span<const std::byte> from, std::span<std::byte> into) {
  OfCode& mine = of(step);
  const std::int32_t count = step.combine == schedule::Operator::Sum ? ranks_ : 1;
  if (mine.together.empty()) return decode_all(*mine.codec, from, count, floats(into));
  decode_all(*mine.codec, from, count, mine.together);
  for_runs(code(step), floats(into), [&](std::size_t offset, std::span<float> run) {
    std::copy_n(mine.together.data() + offset, run.size(), run.begin());
  });
}

std::vector<std::span<float>> Coder::memories() {
  std::vector<std::span<float>> memories;
  for (OfCode& code : codes_)
    memories.push_back(code.codec->memory());
  return memories;
}

}  // namespace lockstep::exec
