// The numbers of a real mount, asked for with curl.
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MetricsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    socket_ = (dir_ / "metrics").string();
    mount_ = std::make_unique<MountedTusfs>(
        server_->Url(), Command{"--metrics", "unix:" + socket_, "--settle", "0.1"});
    ASSERT_EQ(mount_->Mount(), "");
  }

  [[nodiscard]] std::string Numbers() const {
    return RunProgram({"curl", "-s", "--unix-socket", socket_, "http://tusfs/metrics"}).out;
  }

  std::string socket_;
  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(MetricsTest, SayWhatIsOnTheServer) {
  WriteFile(*mount_ / "file", std::string(100'000, 'x'));
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_THAT(Numbers(), AllOf(HasSubstr("tusfs_files{state=\"uploaded\""),
                               HasSubstr("tusfs_confirmed_bytes{mount=\"" +
                                         mount_->mountpoint().string() + "\"} 100000\n"),
                               HasSubstr("tusfs_server_reachable{mount=\"" +
                                         mount_->mountpoint().string() + "\"} 1\n"),
                               HasSubstr("{answer=\"2xx\",method=\"PATCH\"")));
}

TEST_F(MetricsTest, ArePrintedWithoutAPortAndPutIntoAFileForAll) {
  auto const mount = "{mount=\"" + mount_->mountpoint().string() + "\"}";
  EXPECT_THAT(TusfsCtl({"metrics"}).out, HasSubstr("tusfs_up" + mount + " 1\n"));
  auto const file = dir_ / "tusfs.prom";
  EXPECT_EQ(TusfsCtl({"metrics", "--file", file, mount_->mountpoint()}).code, 0);
  EXPECT_THAT(ReadFile(file), HasSubstr("tusfs_oldest_unsent_age_seconds" + mount + " 0\n"));
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms{0644});
  if (HaveProgram("promtool")) {
    auto const checked = RunProgram({"sh", "-c", "promtool check metrics <\"$1\"", "sh", file});
    EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  }
  mount_->Kill9();
  EXPECT_EQ(TusfsCtl({"metrics", "--file", file}).code, 0);
  EXPECT_THAT(ReadFile(file), HasSubstr("tusfs_up" + mount + " 0\n"));
  EXPECT_EQ(TusfsCtl({"metrics", "--file", dir_ / "no" / "such"}).code, 2);
}

TEST_F(MetricsTest, AreThereAgainAfterTheDaemonsDeath) {
  EXPECT_TRUE(WaitFor([&] { return !Numbers().empty(); }));
  mount_->KillDaemon();
  EXPECT_TRUE(WaitFor([&] { return !Numbers().empty(); })) << mount_->Log();
  EXPECT_EQ(mount_->Unmount(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

}  // namespace
}  // namespace tusfs_testing
