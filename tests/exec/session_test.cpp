// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/session.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "tests/exec/ranks_in_threads.h"
#include "tests/exec/sockets.h"

namespace lockstep::exec {
namespace {

const Outcomes kTwoFine(2);

TEST_CASE("rendezvous: all ranks know all peers, the job, and rank 0's clock",
          "[exec][session][net]") {
  std::mutex mutex;
  std::vector<std::string> jobs;
  std::vector<std::int64_t> clocks(4);
  const std::int64_t start = steady_ns();
  const Outcomes outcomes = run_ranks(4, [&](Session& session) {
    const std::int64_t zero = session.clock().zero_ns;
    session.leave();
    const std::lock_guard lock(mutex);
    jobs.push_back(session.resolved_job() + " of " + std::to_string(session.peers().size()));
    clocks[static_cast<std::size_t>(session.rank())] = zero;
  });
  const std::int64_t took = steady_ns() - start;
  CHECK(outcomes == Outcomes(4));
  CHECK(jobs == std::vector<std::string>(4, "the job of 4"));
  // All threads share one steady clock, so all should find the same zero; what they may be wrong
  // by is less than the rendezvous took.
  for (const std::int64_t zero : clocks)
    CHECK(std::abs(zero - clocks[0]) < took);
}

TEST_CASE("session: one rank alone needs no network", "[exec][session]") {
  RankOptions options;
  Session session(options, "alone");
  session.connect({});
  session.check_replica(0, 1);
  session.barrier();
  CHECK(session.gather("result") == std::vector<std::string>{"result"});
  session.leave();
  CHECK(session.resolved_job() == "alone");
}

TEST_CASE("rendezvous: two processes with one number are told so, both sides",
          "[exec][session][net]") {
  const auto twice = [](RankOptions& options) {
    if (options.rank == 2) options.rank = 1;
  };
  const Outcomes outcomes = run_ranks(
      3, [](Session& session) { session.leave(); }, twice);
  for (const std::string& outcome : outcomes)
    CHECK_THAT(outcome, Catch::Contains("two processes say they are rank 1"));
}

TEST_CASE("rendezvous: another number of ranks is an error on both sides", "[exec][session][net]") {
  const auto other = [](RankOptions& options) {
    if (options.rank == 1) options.ranks = 3;
  };
  const Outcomes outcomes = run_ranks(
      2, [](Session& session) { session.leave(); }, other);
  for (const std::string& outcome : outcomes)
    CHECK_THAT(outcome, Catch::Contains("was started as one of 3 ranks, rank 0 as one of 2"));
}

TEST_CASE("rendezvous: another secret is an error on both sides", "[exec][session][net]") {
  const auto other = [](RankOptions& options) {
    if (options.rank == 1) options.secret = Secret{"another"};
    if (options.rank == 0) options.rendezvous_timeout_seconds = 0.5;
  };
  const Outcomes outcomes = run_ranks(
      2, [](Session& session) { session.leave(); }, other);
  CHECK_THAT(outcomes[0], Catch::Contains("rank 1 did not come to 127.0.0.1:"));
  CHECK_THAT(outcomes[1], Catch::Contains("refused this rank's proof"));
}

TEST_CASE("rendezvous: nobody there is an error that says where, after the timeout",
          "[exec][session][net]") {
  RankOptions options;
  options.rank = 1;
  options.ranks = 2;
  options.rendezvous_timeout_seconds = 0.2;
  {
    boost::asio::io_context context;
    tcp::acceptor free_port(context, any_port());
    options.port = free_port.local_endpoint().port();
  }
  CHECK_THROWS_AS(Session(options, ""), PeerError);
  CHECK_THROWS_WITH(Session(options, ""),
                    "cannot reach rank 0 at 127.0.0.1:" + std::to_string(options.port) +
                        " within 0.2 s: Connection refused; at the rendezvous");
  options.host = "no-such-host.invalid";
  CHECK_THROWS_AS(Session(options, ""), ConfigError);
}

TEST_CASE("rendezvous: a port that something else answers at is named", "[exec][session][net]") {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, any_port());
  std::thread server([&] {
    tcp::socket socket = acceptor.accept();
    boost::asio::write(socket, boost::asio::buffer(std::string("HTTP/1.1 400 Bad Request\r\n")));
    std::string rest(1, '\0');
    boost::system::error_code ignored;
    while (!ignored)
      boost::asio::read(socket, boost::asio::buffer(rest), ignored);
  });
  RankOptions options;
  options.rank = 1;
  options.ranks = 2;
  options.port = acceptor.local_endpoint().port();
  CHECK_THROWS_WITH(Session(options, ""), Catch::Contains("not a Lockstep peer"));
  server.join();
}

TEST_CASE("rendezvous: rank 0 says who did not come", "[exec][session][net]") {
  const Listener listener = listen_on_loopback();
  RankOptions options = options_of(0, 3, listener);
  options.rendezvous_timeout_seconds = 0.2;
  CHECK_THROWS_WITH(Session(options, ""), Catch::Contains("ranks 1 and 2 did not come"));
}

TEST_CASE("session: results reach rank 0, in order, of any size", "[exec][session][net]") {
  std::vector<std::string> first, second;
  const Outcomes outcomes = run_ranks(3, [&](Session& session) {
    const std::string name = std::to_string(session.rank());
    std::vector<std::string> one = session.gather("first of " + name);
    std::vector<std::string> two = session.gather(std::string(3'000'000, name[0]));
    session.barrier();
    session.leave();
    if (session.rank() != 0) return;
    first = std::move(one);
    second = std::move(two);
  });
  CHECK(outcomes == Outcomes(3));
  CHECK(first == std::vector<std::string>{"first of 0", "first of 1", "first of 2"});
  REQUIRE(second.size() == 3);
  for (std::size_t r = 0; r < 3; ++r)
    CHECK(second[r] == std::string(3'000'000, static_cast<char>('0' + r)));
}

TEST_CASE("session: reports of all ranks reach rank 0", "[exec][session][net]") {
  std::atomic<int> images = 0;
  const Outcomes outcomes = run_ranks(3, [&](Session& session) {
    if (session.rank() == 0)
      session.on_report([&](Rank, const IterationReport& report) { images += report.images; });
    session.barrier();
    IterationReport report;
    report.images = 1 + session.rank();
    session.report(report);
    session.leave();
  });
  CHECK(outcomes == Outcomes(3));
  CHECK(images == 1 + 2 + 3);
}

TEST_CASE("session: ranks that hold different parameters all end, and the odd one is named",
          "[exec][session][net]") {
  const Outcomes outcomes = run_ranks(3, [&](Session& session) {
    session.check_replica(10, 5);
    session.check_replica(20, session.rank() == 2 ? 6 : 5);
    session.barrier();
    session.gather("");  // rank 0 waits here, and so do the others after
    session.leave();
  });
  for (const std::string& outcome : outcomes) {
    CHECK_THAT(outcome, Catch::Contains("different parameters after iteration 20 on rank 2"));
  }
}

TEST_CASE("session: a rank that gives up tells the others why", "[exec][session][net]") {
  const Rank quitter = GENERATE(0, 1, 2);
  const Outcomes outcomes = run_ranks(3, [&](Session& session) {
    if (session.rank() == quitter) {
      session.give_up("images.gz: is truncated");
      throw ConfigError("images.gz", "is truncated");
    }
    session.leave();
  });
  for (Rank rank = 0; rank < 3; ++rank) {
    const std::string& outcome = outcomes[static_cast<std::size_t>(rank)];
    CHECK_THAT(outcome, Catch::EndsWith("images.gz: is truncated"));
    if (rank != quitter)
      CHECK_THAT(outcome, Catch::StartsWith("rank " + std::to_string(quitter) + " (host "));
  }
}

TEST_CASE("session: a rank that ends without a word is noticed", "[exec][session][net]") {
  const Outcomes outcomes = run_ranks(2, [&](Session& session) {
    if (session.rank() == 1) return;
    session.barrier();
  });
  CHECK_THAT(outcomes[0], Catch::Contains("failed: it ended early"));
  CHECK(outcomes[1].empty());
}

TEST_CASE("session: a rank whose communication stands still is lost for the others",
          "[exec][session][net]") {
  const Rank frozen = GENERATE(0, 2);
  std::promise<void> others_are_done;
  std::shared_future<void> done = others_are_done.get_future().share();
  std::atomic<int> left = 2;
  const Outcomes outcomes = run_ranks(
      3,
      [&](Session& session) {
        if (session.rank() == frozen) {
          session.call([&] { done.wait(); });
          return;
        }
        try {
          session.barrier();
        } catch (const PeerError&) {
          if (--left == 0) others_are_done.set_value();
          throw;
        }
      },
      [](RankOptions& options) { options.timeout_seconds = 1; });
  for (Rank rank = 0; rank < 3; ++rank)
    if (rank != frozen)
      CHECK_THAT(outcomes[static_cast<std::size_t>(rank)],
                 Catch::StartsWith("lost rank " + std::to_string(frozen) + " (host ") &&
                     Catch::Contains("no heartbeat for 1 s"));
}

TEST_CASE("session: a stranger at a data port is refused, and the job goes on",
          "[exec][session][net]") {
  int strangers = 0;
  const Outcomes outcomes = run_ranks(2, [&](Session& session) {
    session.barrier();
    if (session.rank() == 0) {
      boost::asio::io_context context;
      tcp::socket stranger(context);
      stranger.connect({boost::asio::ip::address_v4::loopback(), session.peers()[1].port});
      boost::asio::write(stranger, boost::asio::buffer(std::string(100, '\x5a')));
      std::string nothing(1, '\0');
      boost::system::error_code ended;
      boost::asio::read(stranger, boost::asio::buffer(nothing), ended);
    }
    session.barrier();
    session.connect({{1 - session.rank(), 0}});
    if (session.rank() == 1) strangers = session.strangers();
    session.leave();
  });
  CHECK(outcomes == kTwoFine);
  CHECK(strangers == 1);
}

}  // namespace
}  // namespace lockstep::exec
