// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/acceptor.h"

#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "exec/transport/handshake.h"
#include "models/base/random.h"
#include "tests/exec/sockets.h"

namespace lockstep::exec {
namespace {

const Secret kSecret{"the job's secret"};

/// Rank 0's door, and what became of those who came.
class Door {
 public:
  explicit Door(std::chrono::nanoseconds timeout = std::chrono::seconds(20))
      : listener_(context, any_port()), endpoint(listener_.local_endpoint()) {
    acceptor = std::make_shared<Acceptor>(
        std::move(listener_), kSecret, 0, timeout,
        [](const Identity& identity) {
          return identity.rank == 7 ? std::string("claims to be rank 7") : std::string();
        },
        [this](tcp::socket, const Identity& identity) { let_in.push_back(identity); });
    acceptor->start();
  }
  ~Door() { acceptor->stop(); }

  tcp::socket knock() {
    tcp::socket socket(context);
    socket.connect(endpoint);
    return socket;
  }
  /// As a peer would; the result is what the peer thinks of it, "in" if it got in.
  std::string introduce_as(Identity self, const Secret& secret, Rank expected = 0) {
    tcp::socket socket = knock();
    std::string outcome;
    boost::asio::co_spawn(context, introduce(socket, secret, self, expected),
                          [&](std::exception_ptr error) { outcome = text_of(error); });
    return run_until(context, [&] { return !outcome.empty(); }) ? outcome : "nothing";
  }
  bool refuses(int count) {
    return run_until(context, [&] { return acceptor->strangers() == count; });
  }

  boost::asio::io_context context;

 private:
  static std::string text_of(const std::exception_ptr& error) {
    if (!error) return "in";
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& known) {
      return known.what();
    }
  }
  tcp::acceptor listener_;

 public:
  tcp::endpoint endpoint;
  std::shared_ptr<Acceptor> acceptor;
  std::vector<Identity> let_in;
};

TEST_CASE("acceptor: a peer that knows the secret gets in, as who it says it is",
          "[exec][handshake][net]") {
  Door door;
  CHECK(door.introduce_as({Purpose::Data, 3, 5}, kSecret) == "in");
  REQUIRE(run_until(door.context, [&] { return door.let_in.size() == 1; }));
  CHECK(door.let_in[0].purpose == Purpose::Data);
  CHECK(door.let_in[0].rank == 3);
  CHECK(door.let_in[0].stream == 5);
  CHECK(door.acceptor->strangers() == 0);
}

TEST_CASE("acceptor: a wrong secret is refused, and a peer that isn't wanted too",
          "[exec][handshake][net]") {
  Door door;
  CHECK_THAT(door.introduce_as({Purpose::Data, 3, 0}, Secret{"another"}),
             Catch::Contains("refused this rank's proof"));
  CHECK(door.refuses(1));
  CHECK_THAT(door.introduce_as({Purpose::Data, 3, 0}, Secret{}),
             Catch::Contains("refused this rank's proof"));
  CHECK(door.refuses(2));
  CHECK_THAT(door.introduce_as({Purpose::Data, 7, 0}, kSecret), Catch::Contains("already there"));
  CHECK(door.refuses(3));
  CHECK_THAT(door.introduce_as({Purpose::Data, 3, 0}, kSecret, 1),
             Catch::Contains("is rank 0, not rank 1"));
  CHECK(door.let_in.empty());
}

TEST_CASE("acceptor: strangers with random bytes are refused and don't disturb",
          "[exec][handshake][net]") {
  Door door;
  const std::uint64_t seed = GENERATE(11u, 12u, 13u);
  CAPTURE(seed);
  Random random(seed);
  for (int count = 1; count <= 5; ++count) {
    tcp::socket stranger = door.knock();
    std::string bytes(8 + random.below(500), '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random.next());
    boost::asio::write(stranger, boost::asio::buffer(bytes));
    CHECK(door.refuses(count));
  }
  CHECK(door.introduce_as({Purpose::Control, 1, 0}, kSecret) == "in");
}

TEST_CASE("acceptor: one who hangs up half way is a stranger", "[exec][handshake][net]") {
  Door door;
  tcp::socket stranger = door.knock();
  boost::asio::write(stranger, boost::asio::buffer(std::string("LOCKSTEP\1")));
  stranger.close();
  CHECK(door.refuses(1));
}

TEST_CASE("acceptor: a silent stranger holds up nobody, and is shown out when its time is up",
          "[exec][handshake][net]") {
  Door door(std::chrono::seconds(1));
  tcp::socket silent = door.knock();
  CHECK(door.introduce_as({Purpose::Control, 1, 0}, kSecret) == "in");
  CHECK(door.acceptor->strangers() == 0);
  CHECK(door.refuses(1));
}

TEST_CASE("acceptor: another version of the protocol is refused, and told this one's",
          "[exec][handshake][net]") {
  Door door;
  tcp::socket other = door.knock();
  std::string hello = "LOCKSTEP";
  hello += std::string("\1\0", 2) + std::string(52 - 10, '\0');  // 52 bytes, version 1
  boost::asio::write(other, boost::asio::buffer(hello));
  CHECK(door.refuses(1));
  std::string challenge(10, '\0');
  boost::asio::read(other, boost::asio::buffer(challenge));
  CHECK(challenge == std::string("LOCKSTEP\2\0", 10));
}

}  // namespace
}  // namespace lockstep::exec
