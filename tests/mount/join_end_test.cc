// Ends that wait for the request that joins parts: its answer alone tells that they are published.
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;

class JoinEndTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<MountedTusfs>(fixture_.Url(),
                                            Command{"--parts", "4MiB", "--settle", "0.2"});
    ASSERT_EQ(mount_->Mount(), "");
    WriteFile(*mount_ / "file", bytes_);
    ASSERT_TRUE(WaitFor([&] { return fixture_.Joining() == 1; }));
  }
  void TearDown() override {
    if (mount_) {
      EXPECT_EQ(mount_->WaitUploaded(), 0) << mount_->Listed("file").dump();
      auto uploads = fixture_.Uploads();
      std::erase_if(uploads, [](auto const& upload) { return upload.partial; });
      ASSERT_EQ(uploads.size(), 1U);
      EXPECT_TRUE(fixture_.Content(uploads[0].id) == bytes_);
    }
    MountTest::TearDown();
  }

  std::string const bytes_ = RandomBytes(10 * kMiB);
  FixtureServer fixture_{FixtureOptions{.join_time = 1500ms}};
  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(JoinEndTest, ADaemonThatHandsOverHearsOfItFirst) {
  EXPECT_EQ(TusfsCtl({"restart", mount_->mountpoint()}).code, 0);
  EXPECT_EQ(mount_->Restarts(), 1);
}

TEST_F(JoinEndTest, AnUnmountedOneToo) {
  EXPECT_EQ(mount_->Unmount(), 0);
  ASSERT_EQ(mount_->Mount(), "");
}

}  // namespace
}  // namespace tusfs_testing
