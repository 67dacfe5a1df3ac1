// tusfs --move-to: a state directory goes to another server.
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MoveTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    other_ = TestServer::Start(ServerKind::kFixture, dir_ / "other");
    fs::create_directory(mountpoint_);
  }

  [[nodiscard]] Finished Tusfs(std::string const& url, Command more = {}) const {
    Command command{TusfsProgram(), url,          mountpoint_, "--state-dir",
                    dir_ / "state", "--volatile", "--settle",  "0.1"};
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command, std::chrono::seconds(30));
  }
  [[nodiscard]] Finished MoveTo(std::string const& url, Command more = {}) const {
    more.insert(more.begin(), {"--move-to", url});
    return Tusfs(server_->Url(), more);
  }
  void Mount(std::string const& url) const {
    auto const mounted = Tusfs(url);
    ASSERT_EQ(mounted.code, 0) << mounted.err;
  }
  void Unmount() const { ASSERT_EQ(RunProgram({"umount", mountpoint_}).code, 0); }
  [[nodiscard]] bool IsUploaded() const {
    return TusfsCtl({"wait", "--timeout", "60", mountpoint_}).code == 0;
  }

  fs::path const mountpoint_ = dir_ / "mnt";
  std::unique_ptr<TestServer> other_;
};

TEST_F(MoveTest, WhatIsUploadedStaysKnownAndTheRestArrivesAtTheOtherServer) {
  Mount(server_->Url());
  WriteFile(mountpoint_ / "done", "bytes that are uploaded");
  ASSERT_TRUE(IsUploaded());
  server_->Kill();
  auto const bytes = RandomBytes(2 * kMiB);
  WriteFile(mountpoint_ / "later\n", bytes);
  ASSERT_TRUE(WaitFor([&] {
    return TusfsCtl({"list", "--json", mountpoint_}).out.find("queued") != std::string::npos ||
           TusfsCtl({"list", "--json", mountpoint_}).out.find("uploading") != std::string::npos;
  }));
  auto const busy = MoveTo(other_->Url());
  EXPECT_EQ(busy.code, 1);
  EXPECT_THAT(busy.err, HasSubstr("is mounted: end it first"));
  Unmount();

  auto const planned = MoveTo(other_->Url(), {"--dry-run"});
  EXPECT_EQ(planned.code, 0) << planned.err;
  EXPECT_THAT(planned.out, AllOf(HasSubstr("2097152  later\\x0a\n"), HasSubstr("would move"),
                                 HasSubstr("known as before: 1 file\n"),
                                 HasSubstr("to be sent: 1 file, 2097152 bytes")));
  auto const not_moved = Tusfs(other_->Url());
  EXPECT_THAT(not_moved.err, HasSubstr("holds uploads to")) << "it was a dry run";

  auto const moved = MoveTo(other_->Url());
  EXPECT_EQ(moved.code, 0) << moved.err;
  EXPECT_THAT(moved.out, HasSubstr("\nmoved "));
  auto const past = Tusfs(server_->Url());
  EXPECT_EQ(past.code, 2);
  EXPECT_THAT(past.err, HasSubstr("holds uploads to"));

  Mount(other_->Url());
  EXPECT_TRUE(IsUploaded());
  EXPECT_EQ(other_->Uploads().size(), 1u) << "what was uploaded is not sent again";
  ASSERT_TRUE(other_->Find("later%0A"));
  EXPECT_EQ(Sha256OfFile(other_->File(*other_->Find("later%0A"))), Sha256(bytes));
  EXPECT_EQ(ReadFile(mountpoint_ / "done"), "bytes that are uploaded");
  // And when it gets other bytes, the old server is not asked for it.
  WriteFile(mountpoint_ / "done", "other bytes");
  EXPECT_TRUE(IsUploaded());
  EXPECT_TRUE(other_->Find("done"));
  Unmount();
}

TEST_F(MoveTest, WhatIsWrongIsSaid) {
  auto const no_state = MoveTo(other_->Url());
  EXPECT_EQ(no_state.code, 2);
  EXPECT_THAT(no_state.err, HasSubstr("there is no state of a mount in"));
  EXPECT_FALSE(fs::exists(dir_ / "state"));
  Mount(server_->Url());
  Unmount();
  auto const same = MoveTo(server_->Url());
  EXPECT_EQ(same.code, 2);
  EXPECT_THAT(same.err, HasSubstr("already"));
  auto const no_url = MoveTo("elsewhere");
  EXPECT_EQ(no_url.code, 2);
  EXPECT_THAT(no_url.err, HasSubstr("--move-to elsewhere"));
  auto const dry = Tusfs(server_->Url(), {"--dry-run"});
  EXPECT_EQ(dry.code, 2);
  EXPECT_THAT(dry.err, HasSubstr("--dry-run is for --move-to"));
}

}  // namespace
}  // namespace tusfs_testing
