// Heartbeats: what they say, that they arrive, and that one that does not is given up in time.
#include "fleet/heartbeat.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/fakes.h"
#include "fleet/heartbeat_sender.h"
#include "testing/fixture_server.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using tusfs_testing::FixtureServer;
using tusfs_testing::WaitFor;

constexpr FileTime kSent = 1'700'000'000'000'000'000;

HeartbeatFacts Facts() {
  HeartbeatFacts facts;
  facts.version = "1.2";
  facts.host = "rig-7";
  facts.machine_id = "0123";
  facts.mount = "/mnt/ingest";
  facts.url = "http://host/files/";
  facts.state_dir = "/";
  facts.interval = 600s;
  return facts;
}

TEST(HeartbeatOf, SaysHowTheMountIs) {
  StatusReport status;
  status.files = {{"queued", 2}, {"uploading", 1}, {"interrupted", 3}, {"uploaded", 9}};
  status.accepted = 100;
  status.confirmed = 40;
  status.oldest_unsent = "a\xff";
  status.oldest_unsent_at = kSent - 7200 * std::int64_t{1'000'000'000};
  status.server.reachable = false;
  status.server.error = std::string(10'000, 'x');
  auto const text = HeartbeatOf(Facts(), status, {{"wwan0", "up"}}, kSent, 5);
  EXPECT_LT(text.size(), 4096U) << "whatever the server says";
  auto const beat = nlohmann::json::parse(text);
  EXPECT_EQ(beat["tusfs_heartbeat"], 1);
  EXPECT_EQ(beat["host"], "rig-7");
  EXPECT_EQ(beat["time"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(beat["interval"], 600);
  EXPECT_EQ(beat["backlog"]["files"], 3);
  EXPECT_EQ(beat["backlog"]["bytes"], 60);
  EXPECT_EQ(beat["oldest_unsent"]["age"], 7200);
  EXPECT_EQ(beat["stuck"]["interrupted"], 3);
  EXPECT_EQ(beat["rate"], 5);
  EXPECT_EQ(beat["server"]["reachable"], false);
  EXPECT_GT(beat["disk"]["free"].get<std::uint64_t>(), 0U);
  EXPECT_EQ(beat["links"][0]["name"], "wwan0");
}

TEST(HeartbeatPath, IsOneForEachMountOfAMachine) {
  EXPECT_EQ(HeartbeatPath(Facts()), ".tusfs/0123/heartbeat-mnt-ingest.json");
  auto facts = Facts();
  facts.machine_id.clear();
  EXPECT_EQ(HeartbeatPath(facts), ".tusfs/rig-7/heartbeat-mnt-ingest.json");
}

class SenderTest : public testing::Test {
 protected:
  HeartbeatOptions Options(std::string const& endpoint, std::chrono::seconds interval) {
    HeartbeatOptions options;
    options.interval = interval;
    options.client.endpoint = endpoint;
    options.make_transport = [] { return tus::MakeCurlTransport({}); };
    options.metadata = [] { return tus::Metadata{{"filename", "beat.json"}}; };
    return options;
  }
  HeartbeatSender Sender(std::string const& endpoint, std::chrono::seconds interval) {
    return {Options(endpoint, interval),
            [this] { return Result<std::string>("{" + std::to_string(++made_) + "}"); },
            QuietLogger()};
  }

  std::atomic<int> made_ = 0;
};

TEST_F(SenderTest, OneArrivesAsAnUploadOfItsOwn) {
  FixtureServer server;
  auto sender = Sender(server.Url(), 60s);
  EXPECT_TRUE(Ok(sender.Send({})));
  auto const uploads = server.Uploads();
  ASSERT_EQ(uploads.size(), 1U);
  EXPECT_TRUE(uploads[0].complete);
  EXPECT_EQ(uploads[0].Metadata("filename"), "beat.json");
  EXPECT_EQ(uploads[0].offset, 3U);
}

TEST_F(SenderTest, TheyAreSentAgainAndAgainUntilTheEnd) {
  FixtureServer server;
  auto sender = Sender(server.Url(), 1s);
  sender.Start();
  EXPECT_TRUE(WaitFor([&] { return server.Uploads().size() >= 2; }));
  sender.Stop();
}

TEST_F(SenderTest, OneThatDoesNotArriveIsGivenUpBeforeTheNext) {
  auto sender = Sender("http://127.0.0.1:1/", 4s);
  auto const start = std::chrono::steady_clock::now();
  EXPECT_FALSE(sender.Send({}));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
  sender.Start();
  sender.Stop();
}

}  // namespace
}  // namespace tusfs
