// What somebody far away is told: the log, and the programs that the settings name.
#include <algorithm>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

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

}  // namespace
}  // namespace tusfs_testing
