// SPDX-License-Identifier: Apache-2.0
#include "models/base/errors.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace lockstep {

void check_failed(const char* condition, const std::string& explanation, const char* file,
                  int line) {
  std::fprintf(stderr, "lockstep: internal error: %s: %s (%s:%d)\n", condition,
               explanation.c_str(), file, line);
  std::abort();
}

namespace {

/// Levenshtein distance: insertions, deletions and substitutions cost one each.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(const std::string& word, const std::string* begin, const std::string* end) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string* candidate = begin; candidate != end; ++candidate) {
    const std::size_t distance = edit_distance(word, *candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best ? *best : std::string();
}

}  // namespace lockstep
