// SPDX-License-Identifier: Apache-2.0
// The schedule of a training iteration: buckets, order, and its proof.
#include "models/training/iteration.h"

#include <catch2/catch.hpp>

#include "models/schedule/facts.h"

using namespace lockstep;
using training::Bucket;
using training::Job;

namespace {

network::Network fashion_cnn() {
  return network::load_network("fashion-cnn");
}

std::string proof_of(const training::Iteration& iteration) {
  std::string text;
  for (const training::Iteration::Claim& claim : iteration.claims())
    for (const schedule::Violation& violation : schedule::verify(claim.schedule, claim.contract))
      text += violation.message + "\n";
  return text;
}

}  // namespace

TEST_CASE("buckets: closed by the layer with which they reach the size, last layer first") {
  // fashion-cnn, floats: conv1 320, conv2 18,496, dense1 1,179,776, dense2 1,290. With 1 MiB =
  // 262,144 floats: dense2 + dense1 = 1,181,066, then conv2 + conv1 = 18,816.
  const std::vector<Bucket> buckets = training::make_buckets(fashion_cnn(), 1 << 20);
  REQUIRE(buckets.size() == 2);
  CHECK(buckets[0].first == 0);
  CHECK(buckets[0].count == 1'181'066);
  CHECK(buckets[1].first == 1'181'066);
  CHECK(buckets[1].count == 18'816);
  // A size of one byte closes a bucket at each of the four layers that learn.
  CHECK(training::make_buckets(fashion_cnn(), 1).size() == 4);
  // A huge one puts all in one.
  CHECK(training::make_buckets(fashion_cnn(), std::uint64_t{1} << 40).size() == 1);
}

TEST_CASE("iteration: proven for every algorithm, rank count, overlap, and buckets in flight") {
  const network::Network network = fashion_cnn();
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (const std::int32_t ranks : {1, 2, 3, 4, 5, 7, 8})
      for (const std::int32_t in_flight : {1, 2, 3})
        for (const bool overlap : {true, false}) {
          Job job;
          job.ranks = ranks;
          job.algorithm = algorithm;
          job.buckets_in_flight = in_flight;
          job.overlap = overlap;
          job.bucket_bytes = 1;
          job.servers = (ranks + 1) / 2;
          CAPTURE(collectives::name_of(algorithm), ranks, in_flight, overlap);
          std::vector<std::int32_t> groups;  // of three ranks
          for (Rank rank = 0; rank < ranks; ++rank)
            groups.push_back(rank / 3);
          CHECK(proof_of(training::make_iteration(job, network, groups)) == "");
        }
}

TEST_CASE("iteration: an update that does not wait for its bucket is found out") {
  Job job;
  job.ranks = 3;
  training::Iteration iteration = training::make_iteration(job, fashion_cnn());
  const std::size_t update = iteration.schedule.fragments.size() - 1;
  iteration.schedule.fragments[update].after = {};
  CHECK(proof_of(iteration).find("update 1") != std::string::npos);
}

TEST_CASE("iteration: an all-reduce that starts before its gradients are there is found out") {
  Job job;
  job.ranks = 2;
  training::Iteration iteration = training::make_iteration(job, fashion_cnn());
  iteration.schedule.fragments[1].after = {};
  CHECK(proof_of(iteration).find("all-reduce 0") != std::string::npos);
}

namespace {

/// Convolution, batch normalisation, ReLU; a residual of the three; dense.
network::Network normalised_cnn() {
  return network::parse_network(
      R"({"name":"n","input":{"height":8,"width":8,"channels":2},"classes":3,"layers":[
        {"kind":"convolution","channels":4,"kernel":3,"padding":1},{"kind":"batch-norm"},
        {"kind":"relu","name":"in"},
        {"kind":"convolution","channels":4,"kernel":3,"padding":1},{"kind":"batch-norm"},
        {"kind":"add","with":"in"},{"kind":"relu"},{"kind":"dense","features":3}]})",
      "n.json");
}

}  // namespace

TEST_CASE("iteration: with synchronised normalisation proven too, its sums included") {
  const network::Network network = normalised_cnn();
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (const std::int32_t ranks : {1, 2, 3, 5, 8})
      for (const bool overlap : {true, false}) {
        Job job;
        job.ranks = ranks;
        job.algorithm = algorithm;
        job.overlap = overlap;
        job.bucket_bytes = 1;
        job.batch_norm = training::BatchNorm::Synchronised;
        CAPTURE(collectives::name_of(algorithm), ranks, overlap);
        const training::Iteration iteration = training::make_iteration(job, network);
        CHECK(iteration.claims().size() == (ranks > 1 ? 2 : 1));
        CHECK(proof_of(iteration) == "");
      }
}

TEST_CASE("iteration: of micro-batches too, and every one counts") {
  for (const network::Network& network : {fashion_cnn(), normalised_cnn()})
    for (const std::int32_t ranks : {1, 2, 3, 5})
      for (const bool overlap : {true, false})
        for (const auto batch_norm :
             {training::BatchNorm::PerRank, training::BatchNorm::Synchronised})
          for (const std::int32_t micro_batches : {2, 3}) {
            Job job;
            job.ranks = ranks;
            job.overlap = overlap;
            job.bucket_bytes = 1;
            job.batch_norm = batch_norm;
            job.accumulate = micro_batches;
            job.noise_scale = micro_batches == 3;
            CAPTURE(network.name, ranks, overlap, micro_batches);
            const training::Iteration iteration = training::make_iteration(job, network);
            CHECK(proof_of(iteration) == "");
            // Every stage that learns is accumulated once in each micro-batch.
            std::vector<std::uint64_t> elements(static_cast<std::size_t>(micro_batches));
            for (const network::Work& work : iteration.works)
              if (work.kind == network::WorkKind::Accumulate)
                elements[static_cast<std::size_t>(work.micro_batch)] += work.count;
            for (const std::uint64_t count : elements)
              CHECK(count == network.flat_count);
          }
}

TEST_CASE("iteration: a norm that comes behind the all-reduce is found out") {
  Job job;
  job.ranks = 2;
  job.noise_scale = true;
  job.bucket_bytes = std::uint64_t{1} << 40;
  training::Iteration iteration = training::make_iteration(job, fashion_cnn());
  CHECK(proof_of(iteration) == "");
  // Fragments: compute (its last step is the norm of the one bucket), all-reduce 0, …
  REQUIRE(iteration.schedule.fragments[1].name == "all-reduce 0");
  --iteration.schedule.fragments[1].after[0].step;
  CHECK(proof_of(iteration).find("all-reduce 0") != std::string::npos);
}

TEST_CASE("iteration: an all-reduce that forgets the last micro-batch is found out") {
  Job job;
  job.ranks = 2;
  job.accumulate = 2;
  training::Iteration iteration = training::make_iteration(job, fashion_cnn());
  // Fragments: compute 0, compute 1 (a micro-batch each), all-reduce 0, …
  REQUIRE(iteration.schedule.fragments[2].name == "all-reduce 0");
  iteration.schedule.fragments[2].after = {{0, schedule::After::kWhole}};
  CHECK(proof_of(iteration).find("all-reduce 0") != std::string::npos);
}

TEST_CASE("iteration: a normalisation that does not wait for the ranks' sums is found out") {
  Job job;
  job.ranks = 3;
  job.batch_norm = training::BatchNorm::Synchronised;
  training::Iteration iteration = training::make_iteration(job, normalised_cnn());
  // Fragments: compute 0, all-reduce sums 0, compute 1, …
  REQUIRE(iteration.schedule.fragments[2].name == "compute 1");
  iteration.schedule.fragments[2].after = {{0, 1}};
  CHECK(proof_of(iteration).find("sums") != std::string::npos);
}

TEST_CASE("iteration: synchronised or not, a rank computes the same rows") {
  Job job;
  job.ranks = 2;
  const network::Network network = normalised_cnn();
  const training::Iteration apart = training::make_iteration(job, network);
  job.batch_norm = training::BatchNorm::Synchronised;
  const training::Iteration together = training::make_iteration(job, network);
  const std::vector<std::string> expected{
      "input",          "forward conv1",       "sums norm1",          "forward norm1",
      "forward conv2",  "sums norm2",          "forward norm2",       "forward dense1",
      "loss",           "backward dense1",     "gradient sums norm2", "backward norm2",
      "backward conv2", "gradient sums norm1", "backward norm1",      "backward conv1",
      "update 0"};
  CHECK(training::work_names(apart, network) == expected);
  CHECK(training::work_names(together, network) == expected);
  // Four normalisations' sums, forward and backward: 2·4 floats each; a ring of two sends what it
  // reduces once.
  const auto sent = [](const training::Iteration& iteration) {
    return schedule::rank_facts(iteration.schedule, 0).bytes_sent;
  };
  CHECK(sent(together) == sent(apart) + 4 * 4 * (2 * 4));
}

TEST_CASE("iteration: ring ranks send 2(p-1)/p of the gradients' bytes") {
  const network::Network network = fashion_cnn();
  Job job;
  job.ranks = 4;
  const training::Iteration iteration = training::make_iteration(job, network);
  std::uint64_t bytes = 0;
  for (Rank rank = 0; rank < job.ranks; ++rank)
    bytes += schedule::rank_facts(iteration.schedule, rank).bytes_sent;
  // All ranks together: 2(p-1) times the gradients, 4 bytes each, whatever the chunks' sizes.
  CHECK(bytes == 2 * 3 * 4 * network.parameter_count);
}

TEST_CASE("shares of a batch: contiguous, complete, as even as it goes") {
  for (const std::int32_t ranks : {1, 2, 3, 4, 7, 64})
    for (const std::int32_t batch : {64, 65, 100, 256}) {
      CAPTURE(ranks, batch);
      CHECK(training::first_of_share(batch, ranks, 0) == 0);
      CHECK(training::first_of_share(batch, ranks, ranks) == batch);
      for (Rank rank = 0; rank < ranks; ++rank) {
        const std::int32_t share = training::first_of_share(batch, ranks, rank + 1) -
                                   training::first_of_share(batch, ranks, rank);
        CHECK(share >= batch / ranks);
        CHECK(share <= (batch + ranks - 1) / ranks);
      }
    }
}

TEST_CASE("work names: one for each row, in the order of the program") {
  const network::Network network = fashion_cnn();
  const training::Iteration iteration = training::make_iteration(Job{}, network);
  const std::vector<std::string> names = training::work_names(iteration, network);
  REQUIRE(names.size() == iteration.works.size());
  CHECK(names.front() == "input");
  CHECK(names[1] == "forward conv1");
  CHECK(names.back() == "update 1");
}

TEST_CASE("iteration: with local steps proven too, and only averages are sent") {
  const network::Network network = fashion_cnn();
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (const std::int32_t ranks : {1, 2, 3, 5, 8})
      for (const std::int32_t local_steps : {1, 3})
        for (const std::int32_t local_from : {0, 2}) {
          Job job;
          job.ranks = ranks;
          job.algorithm = algorithm;
          job.bucket_bytes = 1;
          job.local_steps = local_steps;
          job.local_from = local_from;
          CAPTURE(collectives::name_of(algorithm), ranks, local_steps, local_from);
          const training::Iteration local = training::make_iteration(job, network);
          CHECK(proof_of(local) == "");
          job.local_steps = 0;
          const training::Iteration synchronous = training::make_iteration(job, network);
          for (std::int32_t i = 0; i < local_from + 2 * local_steps; ++i) {
            const bool is_sent = i < local_from || (i - local_from + 1) % local_steps == 0;
            const schedule::Schedule running = in_iteration(local.schedule, i);
            for (Rank rank = 0; rank < ranks; ++rank)
              CHECK(rank_facts(running, rank).bytes_sent ==
                    (is_sent ? rank_facts(synchronous.schedule, rank).bytes_sent : 0));
          }
        }
}
