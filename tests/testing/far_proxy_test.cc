// FarProxy: how long bytes take is what the round trip, the window and the line say.
#include "testing/far_proxy.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/fixture_server.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMiB = 1 << 20;

class FarProxyTest : public ::testing::Test {
 protected:
  // By way of the proxy; on a connection of its own.
  milliseconds TimeOf(FarProxy const& proxy, std::string const& bytes) {
    auto url = Create(server_, bytes.size());
    auto const id = IdOf(url);
    url = "http://127.0.0.1:" + std::to_string(proxy.port()) + "/files/" + id;
    auto const start = steady_clock::now();
    EXPECT_EQ(Patch(url, 0, bytes).status, 204);
    auto const took = std::chrono::ceil<milliseconds>(steady_clock::now() - start);
    EXPECT_TRUE(server_.Content(id) == bytes);
    return took;
  }

  FixtureServer server_;
};

TEST_F(FarProxyTest, ARequestOnANewConnectionTakesTwoRoundTrips) {
  FarProxy const proxy(server_.port(), {.round_trip = 100ms});
  auto const took = TimeOf(proxy, "hello");
  EXPECT_GE(took, 200ms);
}

TEST_F(FarProxyTest, AConnectionIsAsFastAsItsWindowForEachRoundTrip) {
  FarProxy const proxy(server_.port(), {.round_trip = 50ms, .window = 256 * 1024});
  auto const took = TimeOf(proxy, RandomBytes(4 * kMiB));
  EXPECT_GE(took, 16 * 50ms) << "4 MiB are 16 windows";
  EXPECT_LT(took, 4 * 16 * 50ms);
}

TEST_F(FarProxyTest, ItBeginsSlowly) {
  FarProxy const proxy(server_.port(), {.round_trip = 50ms, .window = 64 * kMiB});
  auto const took = TimeOf(proxy, RandomBytes(kMiB));
  // 14 KiB, 28, 56… are 1 MiB after seven round trips; the handshake and the answer are two more.
  EXPECT_GE(took, 7 * 50ms);
}

TEST_F(FarProxyTest, ConnectionsDoNotShareAWindowButTheLine) {
  FarProxy const proxy(server_.port(), {.round_trip = 50ms, .window = 256 * 1024});
  FarProxy const narrow(server_.port(),
                        {.round_trip = 50ms, .window = 256 * 1024, .bytes_per_second = 5'000'000});
  auto const bytes = RandomBytes(2 * kMiB);
  auto const time_of_four = [&](FarProxy const& by) {
    auto const start = steady_clock::now();
    {
      std::vector<std::jthread> clients;
      for (int i = 0; i < 4; ++i) clients.emplace_back([&] { (void)TimeOf(by, bytes); });
    }
    return steady_clock::now() - start;
  };
  EXPECT_LT(time_of_four(proxy), 4 * 8 * 50ms) << "not one behind the other";
  EXPECT_GE(time_of_four(narrow), milliseconds(4 * bytes.size() / 5000)) << "5 MB a second in all";
}

}  // namespace
}  // namespace tusfs_testing
