// SPDX-License-Identifier: Apache-2.0
// A rank's copy of the network in training, what it hands over, and what calibration makes of
// samples.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <memory>

#include "exec/calibration/machine_fit.h"
#include "exec/calibration/message_timing.h"
#include "exec/training/rank_record.h"
#include "exec/training/replica.h"
#include "exec/transport/wire.h"
#include "models/base/random.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;

namespace {

/// Noise with a bright square whose place says the class: easy to learn.
std::unique_ptr<exec::StoredImages> squares(std::int32_t count, std::uint64_t seed,
                                            std::uint64_t classes = 10) {
  std::vector<std::uint8_t> pixels, labels;
  Random random(seed);
  for (std::int32_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint8_t>(random.below(classes));
    labels.push_back(label);
    for (int y = 0; y < 28; ++y)
      for (int x = 0; x < 28; ++x) {
        const bool inside = y / 6 == label / 5 + 1 && x / 5 == label % 5;
        pixels.push_back(static_cast<std::uint8_t>(random.below(60) + (inside ? 190 : 0)));
      }
  }
  return std::make_unique<exec::StoredImages>(exec::ImageFormat{.size = {28, 28}}, pixels, labels);
}

training::Job small_job(std::int32_t ranks) {
  training::Job job;
  job.network = "lenet5";
  job.ranks = ranks;
  job.batch = 32;
  job.iterations = 60;
  return job;
}

/// Carries out all rows in order, as one rank alone does.
void iterate(exec::Replica& replica, const training::Iteration& iteration, std::int32_t number) {
  for (std::size_t row = 0; row < iteration.works.size(); ++row)
    replica.compute(static_cast<std::int32_t>(row), number);
}

}  // namespace

TEST_CASE("replica: one rank learns what is easy to learn") {
  const network::Network network = network::load_network("lenet5");
  const training::Job job = small_job(1);
  const training::Iteration iteration = training::make_iteration(job, network);
  const exec::Dataset data{"", {}, squares(640, 1), squares(200, 2)};
  exec::Replica replica(job, network, iteration, data, 0);
  for (std::int32_t i = 0; i < job.iterations; ++i)
    iterate(replica, iteration, i);
  // An untrained network's loss is about ln 10 = 2.3 an image.
  CHECK(replica.loss_sums().front() / job.batch == Approx(std::log(10)).margin(0.15));
  CHECK(replica.loss_sums().back() / job.batch < 0.5);
  const auto correct = [&](std::int32_t first, std::int32_t count, std::int32_t threads) {
    const exec::Classified part =
        exec::classify(network, replica.parameters(), *data.test, exec::normaliser_of(job, 1),
                       first, count, threads);
    CHECK(part.tested == count);
    return part.correct;
  };
  CHECK(correct(0, 200, 1) > 180);
  CHECK(correct(0, 77, 1) + correct(77, 123, 2) == correct(0, 200, 1));  // parts add up
}

TEST_CASE("replica: the gradients of ranks add up to that of one rank") {
  const network::Network network = network::load_network("lenet5");
  const exec::Dataset data{"", {}, squares(640, 3), squares(10, 4)};
  const training::Job one = small_job(1);
  const training::Iteration alone = training::make_iteration(one, network);
  exec::Replica whole(one, network, alone, data, 0);
  const training::Job three = small_job(3);
  const training::Iteration together = training::make_iteration(three, network);
  std::vector<double> sum(network.parameter_count);
  // All rows but the updates, which are the last ones.
  const auto rows = static_cast<std::int32_t>(alone.works.size() - alone.buckets.size());
  for (std::int32_t row = 0; row < rows; ++row)
    whole.compute(row, 0);
  for (Rank rank = 0; rank < 3; ++rank) {
    exec::Replica replica(three, network, together, data, rank);
    for (std::int32_t row = 0; row < rows; ++row)
      replica.compute(row, 0);
    const std::span<const float> part = replica.gradients();
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += static_cast<double>(part[i]);
  }
  double difference = 0, size = 0;
  const std::span<const float> gradients = whole.gradients();
  for (std::size_t i = 0; i < sum.size(); ++i) {
    difference += std::pow(sum[i] - static_cast<double>(gradients[i]), 2);
    size += std::pow(static_cast<double>(gradients[i]), 2);
  }
  CHECK(std::sqrt(difference / size) < 1e-6);
}

namespace {

/// Of a job of one rank whose normalisations, if any, are all per micro-batch.
std::vector<float> parameters_after(const training::Job& job, const network::Network& network,
                                    const exec::Dataset& data, std::int32_t iterations) {
  const training::Iteration iteration = training::make_iteration(job, network);
  exec::Replica replica(job, network, iteration, data, 0);
  for (std::int32_t i = 0; i < iterations; ++i)
    iterate(replica, iteration, i);
  return {replica.parameters().begin(), replica.parameters().end()};
}

double relative_difference(std::span<const float> a, std::span<const float> b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("accumulation: micro-batches make the large batch, tensor by tensor") {
  // Dropout draws by an image's place in the global batch, which micro-batches must not change.
  const network::Network network = exec::make_network(
      28, 28, 1,
      exec::convolution(6, 5, 2, 1) + exec::kRelu + exec::kind("flatten") +
          exec::kind("dropout", R"("rate":0.25)") + exec::dense(12) + exec::kRelu);
  const exec::Dataset data{"", {}, squares(640, 7, 5), squares(10, 8, 5)};
  training::Job job = small_job(1);
  job.batch = 33;
  const std::vector<float> whole = parameters_after(job, network, data, 25);
  for (const std::int32_t micro_batches : {2, 4, 5, 33}) {  // 33 / 5: ragged
    job.accumulate = micro_batches;
    const std::vector<float> parts = parameters_after(job, network, data, 25);
    CAPTURE(micro_batches);
    CHECK(parts != whole);  // only rounding
    for (const network::Layer& layer : network.layers)
      for (const network::Parameter& tensor : layer.parameters)
        CHECK(relative_difference(std::span(parts).subspan(tensor.first, tensor.count),
                                  std::span(whole).subspan(tensor.first, tensor.count)) < 1e-5);
  }
}

TEST_CASE("noise: ranks and micro-batches hand out the norms of their mean gradients") {
  const network::Network network = network::load_network("lenet5");
  const exec::Dataset data{"", {}, squares(640, 11), squares(10, 12)};
  training::Job job = small_job(1);
  job.batch = 31;
  job.accumulate = 2;  // 15 and 16 images
  job.noise_scale = true;
  const training::Iteration iteration = training::make_iteration(job, network);
  exec::Replica replica(job, network, iteration, data, 0);
  iterate(replica, iteration, 0);
  // The gradient of one micro-batch alone, seen as a rank's, has the same norm.
  std::vector<double> sum(network.flat_count);
  double parts = 0;
  for (const std::int32_t micro : {0, 1}) {
    training::Job two = job;
    two.ranks = 2;
    two.accumulate = 1;
    const training::Iteration of_rank = training::make_iteration(two, network);
    exec::Replica part(two, network, of_rank, data, micro);
    for (std::size_t row = 0; row + 2 * of_rank.buckets.size() < of_rank.works.size(); ++row)
      part.compute(static_cast<std::int32_t>(row), 0);  // all but norms of the whole and updates
    double squares = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double g = static_cast<double>(part.gradients()[i]);
      sum[i] += g;
      squares += std::pow(g * 31 / (micro == 0 ? 15 : 16), 2);
    }
    CHECK(part.part_squares().at(0) == Approx(squares).epsilon(1e-5));
    parts += squares;
  }
  CHECK(replica.part_squares().at(0) == Approx(parts).epsilon(1e-5));
  double whole = 0;
  for (const double g : sum)
    whole += g * g;
  CHECK(replica.whole_squares().at(0) == Approx(whole).epsilon(1e-5));
}

TEST_CASE("accumulation: JPEG-like decoding ahead hands out the same micro-batches") {
  const auto images = squares(100, 9);
  const auto all_of = [&](std::int32_t threads) {
    exec::Loader loader(*images, exec::Batcher(100, 21, 2, 1, 3, 4), exec::normaliser_of({}, 1),
                        threads);
    std::vector<std::int32_t> labels;
    for (int part = 0; part < 40; ++part) {  // ten iterations: the third epoch
      std::vector<float> pixels(static_cast<std::size_t>(loader.next_size()) * 28 * 28);
      std::vector<std::int32_t> next(static_cast<std::size_t>(loader.next_size()));
      loader.take(pixels, next);
      labels.insert(labels.end(), next.begin(), next.end());
    }
    return labels;
  };
  const std::vector<std::int32_t> reference = all_of(0);
  CHECK(reference.size() == 10 * 11);  // rank 1's share of 21
  CHECK(all_of(1) == reference);
  CHECK(all_of(3) == reference);
  // The same images as in one piece.
  exec::Batcher parts(100, 21, 2, 1, 3, 4), whole(100, 21, 2, 1, 3);
  for (std::int32_t iteration = 0; iteration < 10; ++iteration) {
    std::int32_t position = 0;
    for (std::int32_t part = 4 * iteration; part < 4 * iteration + 4; ++part)
      for (std::int32_t i = 0; i < parts.size(part); ++i)
        CHECK(parts.image(part, i) == whole.image(iteration, position++));
    CHECK(position == whole.share());
  }
}

TEST_CASE("replica: the hash tells one flipped bit") {
  const network::Network network = network::load_network("lenet5");
  const training::Job job = small_job(1);
  const training::Iteration iteration = training::make_iteration(job, network);
  const exec::Dataset data{"", {}, squares(64, 5), squares(10, 6)};
  exec::Replica a(job, network, iteration, data, 0);
  exec::Replica b(job, network, iteration, data, 0);
  CHECK(a.hash() == b.hash());
  float& weight = b.parameters()[12345];
  weight = std::nextafter(weight, 1.0f);
  CHECK(a.hash() != b.hash());
}

TEST_CASE("rank record: what is handed over arrives, and a damaged one is refused") {
  exec::RankRecord record;
  record.figures = {{Time{1}, Time{2}, Time{3}, Time{4}, Time{5}}};
  record.loss_sums = {2.5, -1};
  record.part_squares = {3, 4};
  record.whole_squares = {1, 2};
  record.bucket_times = {Time{7}};
  record.bytes_sent = {0, 99};
  record.spans = {{.rank = 1, .lane = schedule::Lane::Input, .step = 3, .start = Time{8}}};
  record.faults = {{"cat.1.jpg", "is empty"}};
  record.images_read = 77;
  record.input_core_seconds = 0.25;
  record.tested = 10;
  record.correct = 9;
  const std::string text = exec::encode(record);
  const exec::RankRecord again = exec::decode_record(text);
  CHECK(exec::encode(again) == text);
  CHECK(again.correct == 9);
  CHECK(again.part_squares == record.part_squares);
  CHECK(again.whole_squares == record.whole_squares);
  CHECK(again.faults[0].reason == "is empty");
  CHECK(again.input_core_seconds == 0.25);
  CHECK(again.figures[0].waiting == Time{5});
  for (std::size_t length = 0; length < text.size(); ++length)
    CHECK_THROWS_AS(exec::decode_record(std::string_view(text).substr(0, length)), exec::WireError);
  CHECK_THROWS_AS(exec::decode_record(text + "x"), exec::WireError);
  std::string huge = text;
  huge.replace(0, 8, std::string(8, '\x7f'));  // a list of 9·10¹⁸ figures
  CHECK_THROWS_AS(exec::decode_record(huge), exec::WireError);
}

TEST_CASE("calibration: messages made up by the model give its parameters back") {
  // 2 us and 3 us a message, 0.4 and 0.3 ns a byte, adding 0.1 ns; 10 us latency; 1 ns a byte on
  // the way.
  const double large = 256 << 10;
  exec::MessageSamples samples;
  for (const double bytes : {64.0, 65536.0, 1048576.0})
    samples.ping_pongs.push_back(
        {static_cast<std::uint64_t>(bytes), 2e-6 + 3e-6 + 10e-6 + 1e-9 * bytes});
  samples.small = {64, 1e-5, 2e-6, 3e-6};
  samples.large = {256 << 10, large * 1e-9, 2e-6 + 0.4e-9 * large, 3e-6 + 0.3e-9 * large};
  samples.combining = samples.large;
  samples.combining.receive_core_seconds += 0.1e-9 * large;
  samples.both_ways = {256 << 10, large * 1.5e-9, 0, 0};
  cost::Machine machine;
  exec::add_messages(machine, samples);
  CHECK(machine.message.send_overhead_seconds == Approx(2e-6));
  CHECK(machine.message.latency_seconds == Approx(10e-6));
  CHECK(machine.message.send_core_seconds_per_byte == Approx(0.4e-9));
  CHECK(machine.message.receive_core_seconds_per_byte == Approx(0.3e-9));
  CHECK(machine.combine_seconds_per_byte == Approx(0.1e-9));
  // Both ways at once: two messages in 1.5 ns a byte.
  CHECK(machine.loopback_bytes_per_second == Approx(2 / 1.5e-9));
  CHECK(machine.message.relative_residual < 1e-6);
}

TEST_CASE("calibration: a row becomes a line, its traffic what its slow-down asks for") {
  const network::Network network = network::load_network("lenet5");
  const training::Iteration iteration = training::make_iteration(training::Job{}, network);
  const std::size_t rows = iteration.works.size();
  std::vector<exec::RowSamples> samples;
  for (const std::int32_t batch : {16, 64}) {
    exec::RowSamples sample;
    sample.batch = batch;
    sample.alone.assign(rows, 1e-4 + 1e-5 * batch);
    samples.push_back(sample);
  }
  samples[1].beside.assign(rows, 1.25 * samples[1].alone[0]);
  cost::Machine machine;
  machine.memory_bytes_per_second = 16e9;
  exec::add_rows(machine, iteration.works, {.network = network, .neighbour = 10e9}, samples);
  const cost::LayerCost* cost = machine.find("loss 10", "", 1);
  REQUIRE(cost != nullptr);
  CHECK(cost->seconds.fixed == Approx(1e-4));
  CHECK(cost->seconds.per_unit == Approx(1e-5));
  // As in the test of memory_traffic: 10 GB/s while it runs, 740 us for 64 images.
  CHECK(cost->memory_bytes_per_unit == Approx(10e9 * 740e-6 / 64));
  CHECK(cost->was_measured_at(16));
  CHECK(cost->was_measured_at(40));
  CHECK_FALSE(cost->was_measured_at(65));
  CHECK(cost->seconds_of(40) == Approx(1e-4 + 4e-4));
  CHECK(exec::relative_spread({1, 1, 1}) == 0);
  // Distances to the median 10 are 1, 0, 0, 1 and 990: their median is 1.
  CHECK(exec::robust_spread({9, 10, 10, 11, 1000}) == Approx(1 / 0.6745 / 10));
  // Variance ÷ mean: (1 / 0.6745)² / 10.
  CHECK(exec::robust_dispersion({9, 10, 10, 11, 1000}) == Approx(1 / 0.6745 / 0.6745 / 10));
  CHECK(exec::relative_spread({1, 3}) == Approx(std::sqrt(2.0) / 2));
}
