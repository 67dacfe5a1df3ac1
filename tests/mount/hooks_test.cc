// What somebody far away is told: the log, and the programs that the settings name.
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

int Count(std::string const& text, std::string const& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class HooksTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
  }

  void Mount(Command const& options = {}) {
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    ASSERT_EQ(mount_->Mount(), "");
  }

  /// Writes a file and is killed before it closes it.
  void Interrupt(std::string const& name) const {
    static_cast<void>(RunProgram(
        {"sh", "-c", "exec 3>\"$0\"; echo bytes >&3; kill -9 $$", (*mount_ / name).string()}));
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "interrupted"; }));
  }

  /// A program that runs `text`, in which OUT is a file of the test's.
  std::string Script(std::string text) const {
    auto const out = text.find("OUT");
    if (out != std::string::npos) text.replace(out, 3, (dir_ / "out").string());
    auto const path = dir_ / "hook";
    WriteFile(path, "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

  [[nodiscard]] std::vector<std::string> Told() const {
    std::vector<std::string> lines;
    std::ifstream in(dir_ / "out");
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(HooksTest, TheLogSaysOnceWhatNeedsSomebody) {
  Mount({"--finish", "*.take=manual"});
  Interrupt("cut\nhere");
  WriteFile(*mount_ / "one.take", "bytes");
  SendMarker(*mount_, "marker");
  ASSERT_TRUE(WaitFor([&] { return Count(mount_->Log(), "held back") == 1; })) << mount_->Log();
  ASSERT_TRUE(WaitFor([&] { return Count(mount_->Log(), "uploaded path=\"marker\"") == 1; }));
  ASSERT_GT(mount_->KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == 1; }));
  SendMarker(*mount_, "another");
  auto const log = mount_->Log();
  EXPECT_EQ(Count(log, "file is interrupted"), 1) << log;
  EXPECT_THAT(log, HasSubstr("path=\"cut\\x0ahere\""));
  EXPECT_THAT(log, Not(HasSubstr("inode=")));
}

TEST_F(HooksTest, ProgramsAreToldOfWhatIsUploadedAndOfWhatIsStuck) {
  auto const tell = Script("echo \"$TUSFS_EVENT $TUSFS_SIZE $TUSFS_FILE\" >>OUT");
  Mount({"--on-uploaded", tell, "--on-stuck", tell});
  SendMarker(*mount_, "marker");
  Interrupt("cut");
  ASSERT_TRUE(WaitFor([&] { return Told().size() == 2; }));
  auto const told = Told();
  EXPECT_THAT(told, Contains("uploaded 13 " + (*mount_ / "marker").string()));
  EXPECT_THAT(told, Contains("interrupted 6 " + (*mount_ / "cut").string()));
  ASSERT_TRUE(WaitFor([&] { return mount_->Status()["hooks"]["told"] == 2; }));
  EXPECT_EQ(mount_->Status()["hooks"]["waiting"], 0);
}

TEST_F(HooksTest, AServerThatIsAwayAndBackIsTold) {
  Mount({"--on-server", Script("echo $TUSFS_EVENT >>OUT"), "--server-away", "1"});
  SendMarker(*mount_, "marker");
  server_->Kill();
  WriteFile(*mount_ / "clip", "bytes");
  ASSERT_TRUE(WaitFor([&] { return Told() == std::vector<std::string>{"server-away"}; }));
  server_->Restart();
  EXPECT_TRUE(WaitFor([&] {
    return Told() == std::vector<std::string>{"server-away", "server-back"};
  }));
}

TEST_F(HooksTest, AHookThatFailsHarmsNothingAndIsShown) {
  Mount({"--on-uploaded", Script("echo no disk >&2; exit 3")});
  SendMarker(*mount_, "marker");
  ASSERT_TRUE(WaitFor([&] { return mount_->Status()["hooks"]["failure"].is_object(); }));
  auto const hooks = mount_->Status()["hooks"];
  EXPECT_EQ(hooks["waiting"], 1);
  EXPECT_EQ(hooks["failure"]["event"], "uploaded marker");
  EXPECT_THAT(hooks["failure"]["error"].get<std::string>(), HasSubstr("status 3: no disk"));
  auto const shown = TusfsCtl({"status", mount_->mountpoint()});
  EXPECT_THAT(shown.out, HasSubstr("1 events are to be told; the last failure was at "));
  EXPECT_EQ(mount_->Unmount(), 0) << "what waits keeps nobody";
}

TEST_F(HooksTest, AHookThatIsNotThereIsRefusedByCheckConfig) {
  auto const checked =
      RunProgram({TusfsProgram(), "--check-config", "--on-stuck",
                  (dir_ / "nothing").string() + " stuck", server_->Url(), dir_.path().string()});
  EXPECT_EQ(checked.code, 2);
  EXPECT_THAT(checked.err + checked.out, HasSubstr("on-stuck"));
}

// Every event is told at least once, however often the daemon dies, and no file has two events.
TEST_F(HooksTest, NoEventIsLostWhenDaemonsAreKilled) {
  constexpr int kFiles = 300;
  Mount({"--on-uploaded", Script("echo \"$TUSFS_EVENT_ID $TUSFS_PATH\" >>OUT"), "--settle", "0.1"});
  std::mt19937 random(std::random_device{}());
  int kills = 0;
  auto const kill_at_any_moment = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    if (mount_->KillDaemon() > 0) ++kills;
  };
  for (int i = 0; i < kFiles; ++i) {
    WriteFile(*mount_ / std::to_string(i), "bytes of " + std::to_string(i));
    if (random() % 30 == 0) kill_at_any_moment();
  }
  while (kills < 12) kill_at_any_moment();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  std::map<std::string, std::set<std::string>> ids;
  ASSERT_TRUE(WaitFor(
      [&] {
        ids.clear();
        for (auto const& line : Told())
          ids[line.substr(line.find(' ') + 1)].insert(line.substr(0, line.find(' ')));
        return ids.size() == kFiles;
      },
      std::chrono::seconds(100)));
  for (auto const& [path, of_path] : ids) EXPECT_EQ(of_path.size(), 1U) << path;
  RecordProperty("kills", kills);
  RecordProperty("told", static_cast<int>(Told().size()));
}

TEST_F(HooksTest, HeartbeatsOfAMountAreReadAsAFleet) {
  auto const server = TestServer::Start(ServerKind::kFixture, dir_ / "fleet");
  mount_ = std::make_unique<MountedTusfs>(
      server_->Url(), Command{"--heartbeat", "1", "--heartbeat-url", server->Url()});
  ASSERT_EQ(mount_->Mount(), "");
  Interrupt("cut");
  nlohmann::json rig;
  ASSERT_TRUE(WaitFor([&] {
    auto const fleet = TusfsCtl({"fleet", "--json", dir_ / "fleet"});
    if (fleet.code != 0) return false;
    rig = fleet.json["rigs"][0];
    return rig["stuck"] == 1;
  }));
  EXPECT_EQ(rig["mount"], mount_->mountpoint().string());
  EXPECT_EQ(rig["silent"], false);
  EXPECT_LE(std::abs(rig["clock_ahead"].get<int>()), 5);
  EXPECT_THAT(TusfsCtl({"fleet", dir_ / "fleet"}).out, HasSubstr("1 files need somebody"));
  EXPECT_THAT(TusfsCtl({"fleet", "--html", dir_ / "fleet"}).out, HasSubstr("<table>"));
  auto const none = TusfsCtl({"fleet", dir_ / "run"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no heartbeat in it"));
  EXPECT_EQ(TusfsCtl({"fleet", "https://host/files/"}).code, 2);
}

}  // namespace
}  // namespace tusfs_testing
