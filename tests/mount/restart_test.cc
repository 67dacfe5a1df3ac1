// The keeper's other duties: upgrades in place, programs that do not start, ends of all kinds.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RestartTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    fs::copy_file(TusfsProgram(), program_);
    mount_ = std::make_unique<MountedTusfs>(server_->Url());
    mount_->SetProgram(program_);
    ASSERT_EQ(mount_->Mount(), "");
  }

  // As a package manager does: another file under the same name.
  void Install(fs::path const& from) {
    auto const fresh = program_.string() + ".new";
    fs::copy_file(from, fresh);
    fs::permissions(fresh, fs::perms(0755));
    fs::rename(fresh, program_);
  }

  [[nodiscard]] CtlAnswer Restart() const { return TusfsCtl({"restart", mount_->mountpoint()}); }

  static ino_t ProgramOf(pid_t pid) {
    struct stat status {};
    auto const link = "/proc/" + std::to_string(pid) + "/exe";
    return ::stat(link.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  /// It waits for the answer to a statfs(2).
  static bool IsAsking(pid_t pid) {
    auto const call = ReadFile("/proc/" + std::to_string(pid) + "/syscall");
    return call.starts_with(std::to_string(SYS_statfs) + " ");
  }

  void ExpectServes() {
    WriteFile(*mount_ / "probe", "probe");
    EXPECT_EQ(ReadFile(*mount_ / "probe"), "probe");
  }

  fs::path const program_ = dir_ / "tusfs";
  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(RestartTest, AnUpgradeTakesPlaceUnderARunningCopy) {
  auto const before = mount_->DaemonPid();
  auto const keeper = mount_->KeeperPid();
  auto const old_program = ProgramOf(before);
  auto const bytes = RandomBytes(3 * kMiB);
  OpenFile file(*mount_ / "file");
  file.Write(bytes.substr(0, kMiB));
  Install(TusfsProgram());
  auto const restarted = Restart();
  file.Write(bytes.substr(kMiB));
  EXPECT_EQ(file.Close(), 0);

  EXPECT_EQ(restarted.code, 0) << restarted.err;
  EXPECT_NE(mount_->DaemonPid(), before);
  EXPECT_NE(ProgramOf(mount_->DaemonPid()), old_program);
  EXPECT_EQ(mount_->KeeperPid(), keeper);
  EXPECT_EQ(mount_->Restarts(), 1);
  EXPECT_TRUE(ReadFile(*mount_ / "file") == bytes);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(RestartTest, AProgramThatDoesNotStartIsReplacedByTheOneBeforeIt) {
  auto const old_program = ProgramOf(mount_->DaemonPid());
  WriteFile(dir_ / "text", "no program\n");
  for (fs::path const& broken : {fs::path("/bin/false"), dir_ / "text"}) {
    SCOPED_TRACE(broken);
    Install(broken);
    auto const restarted = Restart();
    EXPECT_EQ(restarted.code, 1) << restarted.err;
    EXPECT_THAT(restarted.err, HasSubstr("did not start"));
    EXPECT_EQ(ProgramOf(mount_->DaemonPid()), old_program);
    EXPECT_THAT(mount_->Status().value("problem", ""), HasSubstr("did not start"));
    EXPECT_THAT(mount_->Log(), HasSubstr("did not start"));
    ExpectServes();
  }
  fs::remove(program_);
  EXPECT_EQ(Restart().code, 1) << "there is no program";
  ExpectServes();
  mount_->KillDaemon();
  ExpectServes();

  Install(TusfsProgram());
  EXPECT_EQ(Restart().code, 0);
  EXPECT_TRUE(mount_->Status()["problem"].is_null());
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(RestartTest, AScriptIsStartedToo) {
  WriteFile(dir_ / "script", "#!/bin/sh\nexec '" + TusfsProgram() + "' \"$@\"\n");
  Install(dir_ / "script");
  auto const restarted = Restart();
  EXPECT_EQ(restarted.code, 0) << restarted.err;
  ExpectServes();
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(RestartTest, WhatNeverServedHasNotCrashed) {
  Install("/bin/false");
  EXPECT_EQ(Restart().code, 1);
  EXPECT_TRUE(mount_->Status()["last_end"].is_null()) << mount_->Status();
}

// Its first look at the mount point is a request that nobody answers, and that is aborted then.
TEST_F(RestartTest, AMountBesideOneThatIsJustDyingSucceeds) {
  pid_t const keeper = mount_->KeeperPid();
  pid_t const daemon = mount_->DaemonPid();
  ASSERT_EQ(::kill(keeper, SIGSTOP), 0);
  ASSERT_EQ(::kill(daemon, SIGSTOP), 0);
  ChildProcess next;
  next.Start(mount_->StartCommand(), dir_ / "next.out", dir_ / "next.err");
  EXPECT_TRUE(WaitFor([&] { return IsAsking(next.pid()); }));
  mount_->Kill9();
  EXPECT_TRUE(WaitFor([&] { return mount_->DaemonPid() != 0; })) << ReadFile(dir_ / "next.err");
  ExpectServes();
  EXPECT_TRUE(mount_->UmountOnly());
  EXPECT_EQ(next.Wait(std::chrono::seconds(20))->code, 0);
}

TEST_F(RestartTest, SigtermToEitherProcessEndsTheMount) {
  ASSERT_EQ(::kill(mount_->KeeperPid(), SIGTERM), 0);
  EXPECT_EQ(mount_->WaitForEnd(), 0);
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));

  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_EQ(::kill(mount_->DaemonPid(), SIGTERM), 0);
  EXPECT_EQ(mount_->WaitForEnd(), 0);
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
}

TEST_F(RestartTest, WithoutItsKeeperTheDaemonGoesOn) {
  auto const daemon = mount_->DaemonPid();
  auto const bytes = RandomBytes(2 * kMiB);
  OpenFile file(*mount_ / "file");
  file.Write(bytes.substr(0, kMiB));
  ASSERT_EQ(::kill(mount_->KeeperPid(), SIGKILL), 0);
  EXPECT_TRUE(WaitFor([&] { return mount_->Status()["keeper_pid"].is_null(); }));
  file.Write(bytes.substr(kMiB));
  EXPECT_EQ(file.Close(), 0);
  EXPECT_EQ(mount_->DaemonPid(), daemon);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(Restart().code, 2) << "nobody could do it";
  EXPECT_THAT(mount_->Log(), HasSubstr("the keeper has died"));

  ASSERT_EQ(::kill(daemon, SIGTERM), 0);
  EXPECT_TRUE(WaitFor([&] { return HasEnded(daemon); }));
}

/// It was sent to the process, which has not taken it.
bool IsPending(pid_t pid, int signal) {
  auto const status = ReadFile("/proc/" + std::to_string(pid) + "/status");
  constexpr std::string_view kLabel = "\nShdPnd:\t";
  auto const at = status.find(kLabel);
  if (at == std::string::npos) return false;
  auto const mask = std::strtoull(status.c_str() + at + kLabel.size(), nullptr, 16);
  return (mask >> (signal - 1) & 1) != 0;
}

TEST_F(RestartTest, AnOrderToEndThatTheKeeperTakesToItsGraveIsTheDaemons) {
  auto const daemon = mount_->DaemonPid();
  auto const keeper = mount_->KeeperPid();
  ASSERT_EQ(::kill(keeper, SIGSTOP), 0);
  ASSERT_EQ(::kill(daemon, SIGTERM), 0);
  EXPECT_TRUE(WaitFor([&] { return IsPending(keeper, SIGTERM); }));
  ASSERT_EQ(::kill(keeper, SIGKILL), 0);
  EXPECT_TRUE(WaitFor([&] { return HasEnded(daemon); }));
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
}

// A state directory that later daemons cannot use, until it is repaired.
TEST_F(RestartTest, ADaemonThatCannotStartIsTriedAgainWithPausesAndTheMountIsKept) {
  WriteFile(*mount_ / "file", "bytes");
  auto const catalog = mount_->state_dir() / "catalog";
  fs::rename(catalog, dir_ / "away");
  WriteFile(catalog, "in the way");
  auto const killed = mount_->KillDaemon();
  ASSERT_NE(killed, 0);
  // A program that comes meanwhile waits.
  ChildProcess reader;
  reader.Start({"cat", *mount_ / "file"}, dir_ / "cat.out", dir_ / "cat.err");
  EXPECT_TRUE(WaitFor(
      [&] { return mount_->Log().find("the next one starts in 400 ms") != std::string::npos; }));
  auto const status = mount_->Status();
  EXPECT_TRUE(status["daemon_pid"].is_null()) << status;
  EXPECT_FALSE(status["keeper_pid"].is_null()) << status;
  EXPECT_THAT(status.value("last_end", ""), HasSubstr("status 1"));
  EXPECT_TRUE(IsMounted(mount_->mountpoint()));
  EXPECT_TRUE(reader.Running());

  fs::remove(catalog);
  fs::rename(dir_ / "away", catalog);
  auto const ended = reader.Wait(std::chrono::seconds(40));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 0) << ReadFile(dir_ / "cat.err");
  EXPECT_EQ(ReadFile(dir_ / "cat.out"), "bytes");
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(RestartTest, AMountThatIsTakenAwayWhileNoDaemonServesEndsItsKeeper) {
  auto const catalog = mount_->state_dir() / "catalog";
  fs::rename(catalog, dir_ / "away");
  WriteFile(catalog, "in the way");
  ASSERT_NE(mount_->KillDaemon(), 0);
  ASSERT_TRUE(WaitFor(
      [&] { return mount_->Log().find("the next one starts in 400 ms") != std::string::npos; }));
  EXPECT_TRUE(WaitFor([&] { return mount_->UmountOnly(); }));
  EXPECT_EQ(mount_->WaitForEnd(), 0);
}

}  // namespace
}  // namespace tusfs_testing
