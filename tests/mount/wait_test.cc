// tusfsctl wait, beside what may become of a mount meanwhile.
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;

class WaitTest : public MountTest {
 protected:
  // A mount with a file that takes as long as the test wants.
  void MountWithAFile(std::uint64_t bytes_per_second) {
    StartServer(ServerKind::kFixture, bytes_per_second);
    mount_ = std::make_unique<MountedTusfs>(server_->Url());
    ASSERT_EQ(mount_->Mount(), "");
    Copy(Source("source", 4 * kMiB), *mount_ / "clip");
  }

  void StartWait() {
    wait_.Start({TusfsctlProgram(), "wait", mount_->mountpoint()}, dir_ / "out", dir_ / "err");
  }

  /// Its exit code; -1: it has not ended.
  int EndOfWait() {
    auto const ending = wait_.Wait(std::chrono::seconds(60));
    return ending ? ending->code : -1;
  }

  std::unique_ptr<MountedTusfs> mount_;
  ChildProcess wait_;
};

TEST_F(WaitTest, ItOutlivesTheDaemonsThatItAsks) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(1 * kMiB));
  StartWait();
  for (int i = 0; i < 3; ++i) {
    auto const restarts = mount_->Restarts();
    ASSERT_GT(mount_->KillDaemon(), 0);
    ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() > restarts; }));
    ASSERT_TRUE(wait_.Running()) << ReadFile(dir_ / "err");
  }
  EXPECT_EQ(EndOfWait(), 0) << ReadFile(dir_ / "err");
  ExpectArrived("clip", dir_ / "source");
  EXPECT_EQ(ReadFile(dir_ / "err"), "");
}

TEST_F(WaitTest, AnUpgradeIsNoEnd) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(2 * kMiB));
  StartWait();
  ASSERT_EQ(TusfsCtl({"restart", mount_->mountpoint()}).code, 0);
  EXPECT_EQ(EndOfWait(), 0) << ReadFile(dir_ / "err");
}

TEST_F(WaitTest, ItSaysThatTheMountHasGone) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(64 * 1024));
  StartWait();
  ASSERT_EQ(mount_->Unmount(), 0);
  EXPECT_EQ(EndOfWait(), 2);
  EXPECT_THAT(ReadFile(dir_ / "err"), HasSubstr("was unmounted"));
}

TEST_F(WaitTest, OnATerminalItHasABarOfItsWidth) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(2 * kMiB));
  auto const shown = RunProgram(
      {"script", "-qec", "stty cols 50; " + TusfsctlProgram() + " wait " + (*mount_ / "").string(),
       "/dev/null"});
  EXPECT_EQ(shown.code, 0) << shown.out;
  EXPECT_THAT(shown.out, HasSubstr("1 file, "));
  EXPECT_THAT(shown.out, HasSubstr("MiB to go"));
  std::string line;
  for (char const c : shown.out) {
    line = c == '\r' || c == '\n' ? "" : line + c;
    EXPECT_LE(line.size(), 49U + std::string("\x1b[K").size()) << line;
  }
}

TEST_F(WaitTest, AFileThatIsNotThereIsNothingToWaitFor) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(0));
  auto const waited = TusfsCtl({"wait", *mount_ / "no such"}, std::chrono::seconds(20));
  EXPECT_EQ(waited.code, 2);
  EXPECT_THAT(waited.err, HasSubstr("no such"));
}

TEST_F(WaitTest, OfSeveralMountsACommandNamesThem) {
  ASSERT_NO_FATAL_FAILURE(MountWithAFile(0));
  MountedTusfs other(server_->Url());
  ASSERT_EQ(other.Mount(), "");
  auto const waited = TusfsCtl({"wait"});
  EXPECT_EQ(waited.code, 2);
  EXPECT_THAT(waited.err, HasSubstr(mount_->mountpoint().string()));
  EXPECT_THAT(waited.err, HasSubstr(other.mountpoint().string()));
}

}  // namespace
}  // namespace tusfs_testing
