// SPDX-License-Identifier: Apache-2.0
// Every codec does what its paper says: how far it errs, on average and at most; that nothing is
// lost where errors are fed back; that all ranks end with the same bits.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "exec/codecs/power_sgd.h"
#include "tests/exec/codec_exchange.h"

using namespace lockstep;
using namespace lockstep::exec;
using compression::Group;
using compression::Method;
using compression::Tensor;

namespace {

constexpr std::uint64_t kSeed = 20261;

compression::Codec codec(const std::string& text) {
  return compression::parse_codec(text, "test");
}

/// Of any method, with its usual parameter; PowerSGD of rank 1, which small matrices have room for.
compression::Codec usual(Method method) {
  if (method == Method::PowerSgd) return codec("powersgd:1");
  return codec(name_of(method));
}

std::vector<Method> coding_methods() {
  std::vector<Method> methods = compression::all_methods();
  std::erase(methods, Method::None);
  return methods;
}

double squares(std::span<const float> values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0, std::plus<>(),
                            [](double a, double b) { return a * b; });
}

double distance_squared(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return sum;
}

/// What the ranks hold back, element by element.
Floats held_back(const CodecExchange& exchange, std::size_t elements) {
  Floats sum(elements);
  for (const auto& codec : exchange.codecs)
    for (std::size_t i = 0; i < elements; ++i)
      sum[i] += codec->memory()[i];
  return sum;
}

}  // namespace

TEST_CASE("codecs: all ranks end with the same bits, and codes fill their bytes exactly",
          "[codecs]") {
  const Method method = GENERATE(from_range(coding_methods()));
  const std::int32_t ranks = GENERATE(1, 2, 3, 4, 5, 7, 8);
  // Ragged: no multiple of 8, 16 or 512; less than a byte of bits; several tensors.
  const std::vector<Tensor> tensors = GENERATE(values<std::vector<Tensor>>(
      {{{2, 1}}, {{3, 7}}, {{13, 11}, {9, 5}, {25, 6}}, {{600, 3}, {31, 33}}}));
  const Group group{usual(method), tensors};
  CAPTURE(name_of(method), ranks, group.elements(), kSeed);
  CodecExchange exchange(group, ranks, kSeed);
  for (std::int32_t iteration = 0; iteration < 3; ++iteration) {
    std::vector<Floats> gradients;
    for (Rank rank = 0; rank < ranks; ++rank)
      gradients.push_back(normal_floats(group.elements(),
                                        kSeed + static_cast<std::uint64_t>(10 * rank + iteration)));
    const Floats result = exchange.run(gradients, iteration);  // which compares the ranks
    CHECK(std::all_of(result.begin(), result.end(), [](float x) { return std::isfinite(x); }));
  }
}

TEST_CASE("codecs: zeros stay zeros, but for signs", "[codecs]") {
  const Method method = GENERATE(from_range(coding_methods()));
  CAPTURE(name_of(method));
  const Group group{usual(method), {{40, 12}}};
  CodecExchange exchange(group, 3, kSeed);
  const float expected = method == Method::SignVote ? 1 : 0;  // the sign of 0 is +
  for (const float value : exchange.run(std::vector<Floats>(3, Floats(group.elements()))))
    CHECK(value == expected);
}

TEST_CASE("codecs: fed-back errors telescope: what was sent and what is left is what came in",
          "[codecs]") {
  // All gradients are whole numbers, so for those that send elements whole it holds exactly.
  const Method method =
      GENERATE(Method::TopK, Method::RandomK, Method::EfSign, Method::OneBit, Method::PowerSgd);
  const bool is_exact = method == Method::TopK || method == Method::RandomK;
  const std::int32_t ranks = GENERATE(1, 3, 4);
  CAPTURE(name_of(method), ranks, kSeed);
  const Group group{usual(method), {{24, 10}, {9, 9}}};
  CodecExchange exchange(group, ranks, kSeed);
  Floats came(group.elements());
  Floats sent(group.elements());
  Random random(kSeed);
  for (std::int32_t iteration = 0; iteration < 20; ++iteration) {
    std::vector<Floats> gradients(static_cast<std::size_t>(ranks), Floats(group.elements()));
    for (Floats& gradient : gradients)
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        gradient[i] = static_cast<float>(random.below(21)) - 10;
        came[i] += gradient[i];
      }
    const Floats result = exchange.run(gradients, iteration);
    for (std::size_t i = 0; i < sent.size(); ++i)
      sent[i] += result[i];
  }
  const Floats left = held_back(exchange, group.elements());
  for (std::size_t i = 0; i < came.size(); ++i) {
    CAPTURE(i, came[i], sent[i], left[i]);
    if (is_exact)
      CHECK(sent[i] + left[i] == came[i]);
    else
      CHECK(std::abs(sent[i] + left[i] - came[i]) < 2e-3F);
  }
}

TEST_CASE("codecs: fp32 is exact, fp16 and bf16 err by half a last place", "[codecs]") {
  const Group group{{}, {{100, 37}}};
  const Floats gradient = normal_floats(group.elements(), kSeed);
  for (const auto& [name, error] : std::vector<std::pair<std::string, float>>{
           {"fp32", 0}, {"fp16", 0x1p-11F}, {"bf16", 0x1p-8F}}) {
    const Floats result = CodecExchange({codec(name), group.tensors}, 1).run({gradient});
    for (std::size_t i = 0; i < result.size(); ++i)
      CHECK(std::abs(result[i] - gradient[i]) <=
            error * std::abs(gradient[i]) + (error > 0 ? 0x1p-25F : 0));
  }
}

TEST_CASE("codecs: top-k sends the largest, of equal ones the first", "[codecs]") {
  const Group group{codec("top-k-plain:0.3"), {{2, 5}}};  // three of ten
  const Floats gradient{1, -5, 2, 0, 3, -3, 5, 3, -1, 2};
  CHECK(CodecExchange(group, 1).run({gradient}) == Floats{0, -5, 0, 0, 3, 0, 5, 0, 0, 0});
  // Many, where a sample decides what is looked at: the same as sorting them.
  const Floats many = normal_floats(100'003, kSeed);
  const Group large{codec("top-k-plain:0.01"), {{100'003, 1}}};
  const Floats result = CodecExchange(large, 1).run({many});
  Floats magnitudes;
  for (const float value : many)
    magnitudes.push_back(std::abs(value));
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<>());
  const float least = magnitudes[1000];  // ⌈0.01 · 100,003⌉ = 1001 are sent
  for (std::size_t i = 0; i < many.size(); ++i)
    CHECK(result[i] == (std::abs(many[i]) >= least ? many[i] : 0));
}

TEST_CASE("codecs: top-k finds what a sample misses", "[codecs]") {
  // The sample sees every 24th element; only those are small, so its threshold is much too low, or,
  // the other way round, much too high.
  for (const bool sees_large : {false, true}) {
    Floats values(100'000);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = (i % 24 == 0) == sees_large ? 1 + static_cast<float>(i) * 1e-6F : 1e-3F;
    const Group group{codec("top-k-plain:0.2"), {{100'000, 1}}};
    const Floats result = CodecExchange(group, 1).run({values});
    CHECK(std::count_if(result.begin(), result.end(), [](float x) { return x != 0; }) == 20'000);
    const double all = std::accumulate(values.begin(), values.end(), 0.0);
    CHECK(std::accumulate(result.begin(), result.end(), 0.0) >= 0.19 * all);
  }
}

TEST_CASE("codecs: DGC of everything is momentum; what is sent begins anew", "[codecs]") {
  // µ = 1/2. With density 1 all of v is sent: g is 4 each time, m = 4 + m/2 … but m is masked where
  // it was sent, so that every iteration sends 4.
  const Group all{codec("dgc:1"), {{2, 2}}};
  CodecExchange everything(all, 1, 1, 0.5);
  for (int i = 0; i < 3; ++i)
    CHECK(everything.run({Floats(4, 4)}) == Floats(4, 4));
  // One of four is sent. g = (8, 4, 0, 0): iteration 0 sends 8. Iteration 1: m = (8, 6), v = (8,
  // 10): 10 is sent. Iteration 2: m = (12, 4), v = (20, 4): 20 is sent.
  CodecExchange one({codec("dgc:0.25"), {{2, 2}}}, 1, 1, 0.5);
  const Floats gradient{8, 4, 0, 0};
  CHECK(one.run({gradient}) == Floats{8, 0, 0, 0});
  CHECK(one.run({gradient}) == Floats{0, 10, 0, 0});
  CHECK(one.run({gradient}) == Floats{20, 0, 0, 0});
}

TEST_CASE("codecs: random-k draws all elements alike, and others each time", "[codecs]") {
  const Group group{codec("random-k:0.1"), {{10, 20}}};  // 20 of 200
  std::vector<int> drawn(200);
  constexpr int kTrials = 2000;
  for (std::int32_t trial = 0; trial < kTrials; ++trial) {
    const Floats result =
        CodecExchange(group, 2, kSeed).run({Floats(200, 1), Floats(200, 2)}, trial);
    int sent = 0;
    for (std::size_t i = 0; i < 200; ++i) {
      CHECK((result[i] == 0 || result[i] == 3));
      drawn[i] += result[i] != 0;
      sent += result[i] != 0;
    }
    CHECK(sent == 20);
  }
  // 200 on average; the deviation of each count is √(2000 · 0.1 · 0.9) = 13.4: within five of them.
  for (const int count : drawn)
    CHECK(std::abs(count - 200) < 68);
}

TEST_CASE("codecs: the vote is the sign of the sum of signs, + where that is 0", "[codecs]") {
  const std::int32_t ranks = GENERATE(1, 2, 3, 4, 5, 8, 9, 16);
  const Group group{codec("sign-vote"), {{17, 13}}};
  CAPTURE(ranks, kSeed);
  std::vector<Floats> gradients;
  for (Rank rank = 0; rank < ranks; ++rank)
    gradients.push_back(normal_floats(group.elements(), kSeed + static_cast<std::uint64_t>(rank)));
  const Floats result = CodecExchange(group, ranks).run(gradients);
  for (std::size_t i = 0; i < result.size(); ++i) {
    int sum = 0;
    for (const Floats& gradient : gradients)
      sum += gradient[i] >= 0 ? 1 : -1;
    CHECK(result[i] == (sum >= 0 ? 1 : -1));
  }
}

TEST_CASE("codecs: EF-sign contracts each column by |u|₁² / (d |u|₂²)", "[codecs]") {
  const Group group{codec("ef-sign"), {{50, 31}}};
  const Floats u = normal_floats(group.elements(), kSeed);
  const Floats result = CodecExchange(group, 1).run({u});
  for (std::size_t column = 0; column < 31; ++column) {
    Floats of_column, result_of_column;
    double l1 = 0;
    for (std::size_t i = column; i < u.size(); i += 31) {
      of_column.push_back(u[i]);
      result_of_column.push_back(result[i]);
      l1 += std::abs(double{u[i]});
    }
    const double delta = l1 * l1 / (50 * squares(of_column));
    CHECK(distance_squared(of_column, result_of_column) ==
          Approx((1 - delta) * squares(of_column)).epsilon(1e-4));
  }
}

TEST_CASE("codecs: EF-sign adds momentum before it encodes", "[codecs]") {
  // µ = 1/2, a column of two: m = (4, 0), (6, 0), …: of u = e + m half the sum of magnitudes is
  // sent.
  CodecExchange one({codec("ef-sign"), {{2, 1}}}, 1, 1, 0.5);
  CHECK(one.run({Floats{4, 0}}) == Floats{2, 2});        // e = (2, −2)
  CHECK(one.run({Floats{4, 0}}) == Floats{5, -5});       // u = (8, −2), e = (3, 3)
  CHECK(one.run({Floats{4, 0}}) == Floats{6.5F, 6.5F});  // m = (7, 0), u = (10, 3)
}

TEST_CASE("codecs: 1-bit sends the means of a column's upper and lower elements", "[codecs]") {
  const Group group{codec("one-bit"), {{4, 2}}};
  // Columns (1, 3, −2, −4) and (5, 0, −6, 1): upper 2 and (5 + 0 + 1)/3, lower −3 and −6.
  const Floats u{1, 5, 3, 0, -2, -6, -4, 1};
  CHECK(CodecExchange(group, 1).run({u}) == Floats{2, 2, 2, 2, -3, -6, -3, 2});
}

namespace {

struct Moments {
  std::vector<double> means;
  double variance = 0;  // E|q − v|²
};

Moments moments(const Group& group, const Floats& v, int trials) {
  Moments result{std::vector<double>(v.size()), 0};
  for (int trial = 0; trial < trials; ++trial) {
    const Floats q = CodecExchange(group, 1, kSeed).run({v}, trial);
    for (std::size_t i = 0; i < v.size(); ++i)
      result.means[i] += q[i] / static_cast<double>(trials);
    result.variance += distance_squared(q, v) / trials;
  }
  return result;
}

}  // namespace

TEST_CASE("codecs: QSGD is unbiased, with the paper's variance at most", "[codecs]") {
  const int bits = GENERATE(2, 3, 4, 6, 8);
  const std::size_t rows = GENERATE(30, 512, 700);
  CAPTURE(bits, rows, kSeed);
  const Group group{codec("qsgd:" + std::to_string(bits)), {{rows, 1}}};
  const Floats v = normal_floats(rows, kSeed);
  constexpr int kTrials = 4000;
  const Moments result = moments(group, v, kTrials);
  const double s = compression::qsgd_levels(bits);
  // Lemma 3.1, and what follows from levels up to the largest magnitude, for each run of up to 512.
  double bound = 0;
  double tighter = 0;
  double largest_step = 0;
  for (std::size_t first = 0; first < rows; first += 512) {
    const auto run = std::span(v).subspan(first, std::min<std::size_t>(512, rows - first));
    const auto n = static_cast<double>(run.size());
    bound += std::min(n / (s * s), std::sqrt(n) / s) * squares(run);
    double largest = 0;
    double magnitudes = 0;
    for (const float value : run) {
      largest = std::max(largest, static_cast<double>(std::abs(value)));
      magnitudes += static_cast<double>(std::abs(value));
    }
    tighter += std::min(magnitudes * largest / s, n * largest * largest / (4 * s * s));
    largest_step = std::max(largest_step, largest / s);
  }
  CHECK(result.variance <= bound);
  CHECK(result.variance <= 1.05 * tighter);  // 4000 trials
  // A mean of 4000 with a deviation of at most half a step: within six deviations.
  for (std::size_t i = 0; i < rows; ++i)
    CHECK(std::abs(result.means[i] - v[i]) <= 6 * 0.5 * largest_step / std::sqrt(kTrials));
}

TEST_CASE("codecs: TernGrad is unbiased where it does not clip, with variance Σ|g|(s − |g|)",
          "[codecs]") {
  const bool is_shared = GENERATE(false, true);
  const Group group{codec(is_shared ? "terngrad-shared" : "terngrad"), {{600, 1}}};
  CAPTURE(is_shared, kSeed);
  Floats g(600);
  Random random(kSeed);
  for (float& value : g)  // uniform: the largest is √3 = 1.7 σ, so that nothing is clipped
    value = static_cast<float>(2 * random.uniform() - 1);
  constexpr int kTrials = 4000;
  const Moments result = moments(group, g, kTrials);
  float s = 0;
  for (const float value : g)
    s = std::max(s, std::abs(value));
  double variance = 0;
  for (const float value : g)
    variance += std::abs(value) * (s - std::abs(value));
  CHECK(result.variance == Approx(variance).epsilon(0.02));
  for (std::size_t i = 0; i < g.size(); ++i)
    CHECK(std::abs(result.means[i] - g[i]) <= 6 * 0.5 * s / std::sqrt(kTrials));
}

TEST_CASE("codecs: ranks and iterations round differently", "[codecs]") {
  const Group group{codec("qsgd:2"), {{512, 1}}};
  const Floats v = normal_floats(512, kSeed);
  CodecExchange two(group, 2, kSeed);
  const Floats both = two.run({v, v}, 0);
  const Floats alone = CodecExchange(group, 1, kSeed).run({v}, 0);
  const Floats later = CodecExchange(group, 1, kSeed).run({v}, 1);
  CHECK(alone != later);
  Floats twice = alone;
  for (float& value : twice)
    value *= 2;
  CHECK(both != twice);
}

TEST_CASE("codecs: PowerSGD recovers a matrix of its rank, and sees only the sum", "[codecs]") {
  const std::size_t rank = GENERATE(1, 2, 4);
  const std::size_t rows = GENERATE(40, 33);
  const std::size_t columns = 50;
  CAPTURE(rank, rows, kSeed);
  const Group group{codec("powersgd:" + std::to_string(rank)), {{rows, columns}}};
  const Floats left = normal_floats(rows * rank, kSeed);
  const Floats right = normal_floats(columns * rank, kSeed + 1);
  Floats matrix(rows * columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t k = 0; k < rank; ++k)
        matrix[i * columns + j] += left[k * rows + i] * right[k * columns + j];
  // Two ranks hold it in two parts that have nothing to do with its rank.
  const Floats noise = normal_floats(matrix.size(), kSeed + 2);
  Floats rest = matrix;
  for (std::size_t i = 0; i < rest.size(); ++i)
    rest[i] -= noise[i];
  const Floats result = CodecExchange(group, 2, kSeed).run({noise, rest});
  CHECK(distance_squared(result, matrix) <= 1e-8 * squares(matrix));
}

TEST_CASE("codecs: orthonormal vectors are, and what depends on others becomes 0", "[codecs]") {
  const std::size_t rows = 37;
  Floats vectors = normal_floats(4 * rows, kSeed);
  for (std::size_t i = 0; i < rows; ++i)
    vectors[2 * rows + i] = 3 * vectors[i] - vectors[rows + i];
  orthonormalise(vectors.data(), rows, 4);
  for (std::size_t a = 0; a < 4; ++a)
    for (std::size_t b = 0; b < 4; ++b) {
      double product = 0;
      for (std::size_t i = 0; i < rows; ++i)
        product += double{vectors[a * rows + i]} * double{vectors[b * rows + i]};
      CHECK(product == Approx(a == b && a != 2 ? 1 : 0).margin(1e-6));
    }
}
