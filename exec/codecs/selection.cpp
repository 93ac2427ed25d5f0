// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/selection.h"

#include <algorithm>
#include <bit>
#include <functional>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lockstep::exec {

namespace {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFF;

/// Magnitudes of floats are in the order of their bits.
std::uint32_t magnitude_of(float value) {
  return std::bit_cast<std::uint32_t>(value) & kMagnitude;
}

std::uint64_t candidate_of(std::uint32_t magnitude, std::size_t index) {
  return std::uint64_t{magnitude} << 32 | (UINT32_MAX - static_cast<std::uint32_t>(index));
}

std::uint32_t index_of(std::uint64_t candidate) {
  return UINT32_MAX - static_cast<std::uint32_t>(candidate);
}

}  // namespace

void Selection::collect(std::span<const float> values, std::uint32_t threshold) {
  candidates_.clear();
  std::size_t i = 0;
#if defined(__AVX512F__)
  const __m512i mask = _mm512_set1_epi32(static_cast<int>(kMagnitude));
  const __m512i least = _mm512_set1_epi32(static_cast<int>(threshold));
  for (; i + 16 <= values.size(); i += 16) {
    const __m512i bits = _mm512_and_si512(_mm512_loadu_si512(values.data() + i), mask);
    for (std::uint32_t passed = _mm512_cmpge_epu32_mask(bits, least); passed != 0;
         passed &= passed - 1) {
      const std::size_t at = i + static_cast<std::size_t>(std::countr_zero(passed));
      candidates_.push_back(candidate_of(magnitude_of(values[at]), at));
    }
  }
#endif
  for (; i < values.size(); ++i)
    if (const std::uint32_t magnitude = magnitude_of(values[i]); magnitude >= threshold)
      candidates_.push_back(candidate_of(magnitude, i));
}

// Of every so many elements one is looked at. The threshold is that which somewhat more than the
// share that is wanted passes; should fewer have passed, it was a bad sample, and all elements are
// candidates.
std::span<const std::uint32_t> Selection::largest(std::span<const float> values,
                                                  std::size_t count) {
  count = std::min(count, values.size());
  constexpr std::size_t kSample = 4096;
  const std::size_t stride = std::max<std::size_t>(1, values.size() / kSample);
  sample_.clear();
  for (std::size_t i = 0; i < values.size(); i += stride)
    sample_.push_back(magnitude_of(values[i]));
  const std::size_t wanted = count / stride + count / stride / 4 + 16;
  std::uint32_t threshold = 0;
  if (stride > 1 && wanted < sample_.size()) {
    const auto at = sample_.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::nth_element(sample_.begin(), at, sample_.end(), std::greater<>());
    threshold = *at;
  }
  collect(values, threshold);
  if (candidates_.size() < count) collect(values, 0);
  if (candidates_.size() > count)
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                     candidates_.end(), std::greater<>());
  indices_.resize(count);
  std::transform(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                 indices_.begin(), index_of);
  std::sort(indices_.begin(), indices_.end());
  return indices_;
}

}  // namespace lockstep::exec
