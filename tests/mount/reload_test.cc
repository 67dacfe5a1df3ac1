// The configuration is read again while the mount is in use.
#include <signal.h>
#include <sys/stat.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ReloadTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    Configure("finish = [\"*=manual\"]\n");
    mount_ = std::make_unique<MountedTusfs>(server_->Url(),
                                            Command{"--config", (dir_ / "rig.toml").string()});
    fs::copy_file(TusfsProgram(), program_);
    mount_->SetProgram(program_);
    ASSERT_EQ(mount_->Mount(), "");
    daemon_ = mount_->DaemonPid();
  }

  void Configure(std::string const& text) const { WriteFile(dir_ / "rig.toml", text); }
  [[nodiscard]] CtlAnswer Reload() const { return TusfsCtl({"reload", mount_->mountpoint()}); }

  /// It was refused with these words, and the daemon goes on.
  void ExpectRefusal(std::string const& words) {
    auto const reloaded = Reload();
    EXPECT_EQ(reloaded.code, 1);
    EXPECT_THAT(reloaded.err, HasSubstr(words));
    EXPECT_THAT(mount_->Status().value("problem", ""), HasSubstr(words));
    EXPECT_THAT(mount_->Log(), HasSubstr(words));
    WriteFile(*mount_ / "probe", "probe");
    EXPECT_EQ(ReadFile(*mount_ / "probe"), "probe");
  }

  fs::path const program_ = dir_ / "tusfs";
  std::unique_ptr<MountedTusfs> mount_;
  pid_t daemon_ = 0;
};

TEST_F(ReloadTest, WhatHasChangedIsInForceUnderARunningCopy) {
  auto const keeper = mount_->KeeperPid();
  auto const bytes = RandomBytes(3 * kMiB);
  OpenFile file(*mount_ / "file");
  file.Write(bytes.substr(0, kMiB));
  Configure("settle = 0.1\n");
  auto const reloaded = Reload();
  file.Write(bytes.substr(kMiB));
  EXPECT_EQ(file.Close(), 0);

  EXPECT_EQ(reloaded.code, 0) << reloaded.err;
  EXPECT_NE(mount_->DaemonPid(), daemon_);
  EXPECT_EQ(mount_->KeeperPid(), keeper);
  EXPECT_TRUE(mount_->Status()["problem"].is_null()) << mount_->Status();
  EXPECT_EQ(mount_->WaitUploaded(), 0) << "nobody has to say a word for it any more";
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(ReloadTest, LinksAreOthersAfterwardsAndWhatTheyHaveCarriedStaysKnown) {
  EXPECT_EQ(mount_->Status()["links"], nlohmann::json::array());
  Configure("settle = 0.1\nlink = [\"a=lo\"]\n");
  ASSERT_EQ(Reload().code, 0);
  WriteFile(*mount_ / "file", RandomBytes(kMiB));
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  auto const before = mount_->Status()["links"].at(0);
  EXPECT_GE(before.value("today", std::uint64_t{0}), kMiB);

  Configure("link = [\"a=lo,budget=512KiB/day\", \"b=usb0,cost=2\"]\n");
  ASSERT_EQ(Reload().code, 0);
  auto const links = mount_->Status()["links"];
  ASSERT_EQ(links.size(), 2U);
  EXPECT_EQ(links[0]["today"], before["today"]);
  EXPECT_EQ(links[0]["state"], "spent");
  EXPECT_EQ(links[1]["cost"], 2);
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(ReloadTest, ABrokenFileChangesNothingAndSaysWhere) {
  Configure("settle = 1\nretention = \"soon\"\n");
  ExpectRefusal("rig.toml:2");
  EXPECT_EQ(mount_->DaemonPid(), daemon_);
  Configure("sttle = 1\n");
  ExpectRefusal("sttle");
  EXPECT_EQ(mount_->DaemonPid(), daemon_);
  fs::remove(dir_ / "rig.toml");
  ExpectRefusal("rig.toml");
  EXPECT_EQ(mount_->DaemonPid(), daemon_);

  Configure("settle = 0.1\n");
  EXPECT_EQ(Reload().code, 0);
  EXPECT_TRUE(mount_->Status()["problem"].is_null()) << mount_->Status();
}

TEST_F(ReloadTest, WhatCannotBeChangedIsNamed) {
  Configure("settle = 0.1\nallow-other = true\n");
  ExpectRefusal("cannot be changed while it is mounted: --allow-other");
  EXPECT_EQ(mount_->DaemonPid(), daemon_);
}

TEST_F(ReloadTest, WithWhatDoesNotServeTheOneBeforeItGoesOn) {
  Configure("settle = 0.1\n");
  fs::copy_file("/bin/false", dir_ / "other");
  fs::rename(dir_ / "other", program_);  // a reload starts what is installed
  ExpectRefusal("goes on");
  EXPECT_NE(mount_->DaemonPid(), daemon_);
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "0.5", (*mount_ / "probe").string()}).code, 1)
      << "it waits for a word, as before";
  auto const killed = mount_->KillDaemon();
  ASSERT_NE(killed, 0);
  EXPECT_EQ(ReadFile(*mount_ / "probe"), "probe") << "and so does the next one";
}

// As a file on a disk that hangs.
TEST_F(ReloadTest, AFileThatCannotBeReadHoldsUpNobody) {
  fs::remove(dir_ / "rig.toml");
  ASSERT_EQ(::mkfifo((dir_ / "rig.toml").c_str(), 0600), 0);
  ExpectRefusal("cannot be read within");
  EXPECT_EQ(mount_->DaemonPid(), daemon_);
  fs::remove(dir_ / "rig.toml");
  Configure("settle = 0.1\n");
  EXPECT_EQ(Reload().code, 0);
}

TEST_F(ReloadTest, WhoeverAsksWhileAnotherOneIsServedGetsWhatIsThereThen) {
  for (int round = 0; round < 8; ++round) {
    auto const before = mount_->DaemonPid();
    Configure("settle = 0.1\n");
    ASSERT_EQ(::kill(mount_->KeeperPid(), SIGHUP), 0);
    ASSERT_TRUE(WaitFor([&] { return mount_->DaemonPid() != before; }));
    auto const socket = (dir_ / ("metrics-" + std::to_string(round))).string();
    Configure("settle = 0.1\nmetrics = \"unix:" + socket + "\"\n");
    EXPECT_EQ(Reload().code, 0);
    EXPECT_TRUE(WaitFor([&] { return fs::exists(socket); }, std::chrono::milliseconds(500)));
  }
}

TEST_F(ReloadTest, AServiceKnowsItsMountByTheKeeper) {
  Configure("settle = 0.1\n");
  auto const keeper = std::to_string(mount_->KeeperPid());
  EXPECT_EQ(TusfsCtl({"reload", "--keeper", keeper}).code, 0);
  EXPECT_NE(mount_->DaemonPid(), daemon_);
  EXPECT_EQ(TusfsCtl({"reload", "--keeper", "0"}).code, 2);
  auto const other = TusfsCtl({"reload", "--keeper", "1"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, AllOf(HasSubstr("process 1"), HasSubstr("no keeper")));
}

TEST_F(ReloadTest, AHangupReadsItAgain) {
  Configure("settle = 0.1\n");
  ASSERT_EQ(::kill(mount_->KeeperPid(), SIGHUP), 0);
  EXPECT_TRUE(WaitFor([&] {
    auto const now = mount_->DaemonPid();
    return now != 0 && now != daemon_;
  }));
  WriteFile(*mount_ / "probe", "probe");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
}

}  // namespace
}  // namespace tusfs_testing
