// MetricsServer: answers on its address, and ends whatever its peers do.
#include "metrics/metrics_server.h"

#include <gmock/gmock.h>
#include <httplib.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/fakes.h"
#include "metrics/sockets.h"
#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using tusfs_testing::WaitFor;

class MetricsServerTest : public testing::Test {
 protected:
  std::unique_ptr<MetricsServer> Serve(ListenAddress address) {
    return std::make_unique<MetricsServer>(
        std::move(address), [this] { return text_; }, QuietLogger());
  }
  static bool Answers(httplib::Client& client) {
    return WaitFor([&] { return static_cast<bool>(client.Get("/metrics")); });
  }

  std::string text_ = "a_number 1\n";
  tusfs_testing::TempDir const dir_;
};

TEST_F(MetricsServerTest, GivesTheTextOnATcpPort) {
  int const port = FreePort();
  auto const server = Serve({.host = "127.0.0.1", .port = port});
  httplib::Client client("127.0.0.1", port);
  ASSERT_TRUE(Answers(client));
  auto const answer = client.Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "a_number 1\n");
  EXPECT_THAT(answer->get_header_value("Content-Type"), testing::HasSubstr("version=0.0.4"));
}

TEST_F(MetricsServerTest, NothingElseIsThere) {
  int const port = FreePort();
  auto const server = Serve({.host = "127.0.0.1", .port = port});
  httplib::Client client("127.0.0.1", port);
  ASSERT_TRUE(Answers(client));
  EXPECT_EQ(client.Get("/")->status, 404);
  EXPECT_EQ(client.Get(("/" + std::string(6000, '(')).c_str())->status, 404);
  EXPECT_EQ(client.Post("/metrics", "x=1", "text/plain")->status, 405);
  EXPECT_EQ(client.Get("/metrics")->status, 200) << "and it goes on";
}

TEST_F(MetricsServerTest, WhereNothingCanBeReadItSaysSo) {
  text_.clear();
  int const port = FreePort();
  auto const server = Serve({.host = "127.0.0.1", .port = port});
  httplib::Client client("127.0.0.1", port);
  ASSERT_TRUE(Answers(client));
  EXPECT_EQ(client.Get("/metrics")->status, 503);
}

TEST_F(MetricsServerTest, AUnixSocketTakesThePlaceOfADeadOneAndGoesWithTheServer) {
  auto const path = (dir_ / "socket").string();
  httplib::Client client(path, true);
  client.set_address_family(AF_UNIX);
  for (int round = 0; round < 2; ++round) {
    auto const server = Serve({.path = path});
    ASSERT_TRUE(Answers(client));
    // As after a kill: the name is left, and nobody listens.
    if (round == 0) fs::rename(path, dir_ / "dead");
  }
  EXPECT_FALSE(fs::exists(path));
  fs::rename(dir_ / "dead", path);
  auto const server = Serve({.path = path});
  EXPECT_TRUE(Answers(client));
}

TEST_F(MetricsServerTest, WhatIsNoSocketIsLeftAlone) {
  auto const path = (dir_ / "file").string();
  tusfs_testing::WriteFile(path, "somebody's");
  { auto const server = Serve({.path = path}); }
  EXPECT_EQ(tusfs_testing::ReadFile(path), "somebody's");
}

TEST_F(MetricsServerTest, EndsWhileItsAddressIsSomebodyElses) {
  auto const taken = Bind();
  auto const server = Serve({.host = "127.0.0.1", .port = taken.port});
}

TEST_F(MetricsServerTest, EndsWhilePeersSayNothing) {
  int const port = FreePort();
  auto server = Serve({.host = "127.0.0.1", .port = port});
  httplib::Client client("127.0.0.1", port);
  ASSERT_TRUE(Answers(client));
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 4; ++i) silent.push_back(ConnectTo(port));
  auto const start = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace tusfs
