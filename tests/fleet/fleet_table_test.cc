// The fleet: who is worst, and what hostile heartbeats cannot do.
#include "fleet/fleet_table.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tusfs_testing::WriteFile;

constexpr FileTime kSecond = 1'000'000'000;
constexpr FileTime kNow = 1'700'000'000 * kSecond;

class FleetTest : public testing::Test {
 protected:
  static json Beat(std::string const& host) {
    return {{"tusfs_heartbeat", 1}, {"version", "1"},
            {"host", host},         {"machine_id", "id-" + host},
            {"mount", "/mnt"},      {"time", "2023-11-14T22:13:20Z"},
            {"interval", 600},      {"server", {{"reachable", true}}}};
  }

  /// As a server has it that got it so many seconds ago.
  void Arrives(std::string const& file, std::string const& text, FileTime seconds_ago = 0) {
    auto const path = dir_ / file;
    std::filesystem::create_directories(path.parent_path());
    WriteFile(path, text);
    timespec const time{static_cast<time_t>(kNow / kSecond - seconds_ago), 0};
    timespec const times[2] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  [[nodiscard]] std::vector<Rig> Fleet() const {
    auto fleet = ReadFleet(dir_.path(), kNow);
    EXPECT_TRUE(Ok(fleet));
    return fleet.value_or(std::vector<Rig>());
  }
  [[nodiscard]] std::vector<std::string> Hosts() const {
    std::vector<std::string> hosts;
    for (auto const& rig : Fleet()) hosts.push_back(rig.host);
    return hosts;
  }

  tusfs_testing::TempDir const dir_;
};

TEST_F(FleetTest, WhoIsSilentLongestIsWorstThenWhoHasTrouble) {
  Arrives("a", Beat("good").dump());
  auto stuck = Beat("stuck");
  stuck["stuck"] = {{"failed", 2}};
  Arrives("b", stuck.dump());
  Arrives("c", Beat("silent").dump(), 3600);
  Arrives("d", Beat("silent-for-longer").dump(), 86'400);
  auto behind = Beat("behind");
  behind["oldest_unsent"] = {{"age", 3600}};
  Arrives("e", behind.dump());
  EXPECT_THAT(Hosts(), ElementsAre("silent-for-longer", "silent", "stuck", "behind", "good"));
}

TEST_F(FleetTest, TheLastHeartbeatOfAMountCounts) {
  auto before = Beat("rig");
  before["stuck"] = {{"failed", 2}};
  Arrives("2", before.dump(), 600);
  Arrives("1", Beat("rig").dump(), 10);
  auto other = Beat("rig");
  other["mount"] = "/mnt/other";
  Arrives("3", other.dump(), 20);
  auto const fleet = Fleet();
  ASSERT_EQ(fleet.size(), 2U);
  EXPECT_EQ(fleet[0].stuck + fleet[1].stuck, 0U);
}

TEST_F(FleetTest, UploadsUnderIdsAndThoseWithNamesAreReadAlike) {
  Arrives("0a1b", Beat("tusd").dump());
  Arrives("0a1b.info", R"({"ID":"0a1b","Size":7,"MetaData":{"filename":"heartbeat.json"}})");
  Arrives("0c2d", Beat("tus-node").dump());
  Arrives("0c2d.json", R"({"id":"0c2d","size":7,"metadata":{"filename":"heartbeat.json"}})");
  Arrives(".tusfs/9f/heartbeat-mnt.json", Beat("named").dump());
  Arrives("movie", std::string(100'000, '{'));
  EXPECT_EQ(Hosts().size(), 3U);
}

TEST_F(FleetTest, AClockThatIsWrongIsSeenByTheTimeOfTheFile) {
  auto beat = Beat("rig");
  beat["time"] = "2023-11-14T23:13:20Z";
  Arrives("a", beat.dump());
  auto const fleet = Fleet();
  ASSERT_EQ(fleet.size(), 1U);
  EXPECT_EQ(fleet[0].ahead, std::chrono::hours(1));
  EXPECT_THAT(fleet[0].troubles, Contains("its clock is wrong"));
}

TEST_F(FleetTest, WhatIsNoHeartbeatIsLeftOut) {
  Arrives("1", "");
  Arrives("2", "{");
  Arrives("3", "[1,2]");
  Arrives("4", R"({"tusfs_heartbeat":"one"})");
  Arrives("5", R"({"tusfs_heartbeat":1})");
  Arrives("6", std::string(60'000, '['));
  Arrives("7", "{\"tusfs_heartbeat\":1,\"host\":" + std::string(30'000, '['));
  auto cut = Beat("cut").dump();
  Arrives("8", cut.substr(0, cut.size() / 2));
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("/etc/passwd", dir_ / "link");
  EXPECT_THAT(Fleet(), IsEmpty());
}

TEST_F(FleetTest, HostileWordsAreData) {
  json beat{{"tusfs_heartbeat", 1},
            {"host", "<script>alert(1)</script>\n\x1b[2J"},
            {"machine_id", 7},
            {"mount", json::array()},
            {"interval", -5},
            {"backlog", "much"},
            {"stuck", {{"failed", UINT64_MAX}, {"interrupted", UINT64_MAX}}},
            {"oldest_unsent", {{"age", UINT64_MAX}}},
            {"disk", {{"free", 1}, {"size", UINT64_MAX}}},
            {"time", "9999999-99-99T99:99:99Z"},
            {"links", json::array({1, json::object()})},
            {"server", {{"reachable", false}, {"error", std::string(30'000, 'e')}}}};
  Arrives("a", beat.dump());
  auto const fleet = Fleet();
  ASSERT_EQ(fleet.size(), 1U);
  EXPECT_EQ(fleet[0].stuck, UINT64_MAX);
  EXPECT_THAT(FleetTable(fleet), AllOf(Not(HasSubstr("\x1b")), HasSubstr("\\x1b")));
  EXPECT_LT(FleetTable(fleet).size(), 3000U);
  auto const page = FleetPage(fleet, kNow);
  EXPECT_THAT(page, AllOf(HasSubstr("&lt;script&gt;"), Not(HasSubstr("<script"))));
  EXPECT_EQ(FleetJson(fleet)["rigs"][0]["troubles"].size(), fleet[0].troubles.size());
}

TEST_F(FleetTest, ADirectoryThatIsNotThereIsSaid) {
  auto const fleet = ReadFleet(dir_ / "nothing", kNow);
  ASSERT_FALSE(fleet);
  EXPECT_THAT(fleet.error().context, HasSubstr("nothing' cannot be read"));
}

}  // namespace
}  // namespace tusfs
