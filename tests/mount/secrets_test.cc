// What nobody else may see: tokens in URLs and in memory.
#include <signal.h>

#include <fstream>
#include <sstream>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kSecret = "s3cret-4711";

class SecretsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
  }

  [[nodiscard]] std::string SecretUrl() const { return server_->Url() + "?token=" + kSecret; }
  [[nodiscard]] std::string ShownUrl() const { return server_->Url() + "?***"; }

  static std::string Of(pid_t pid, std::string const& file) {
    return ReadFile("/proc/" + std::to_string(pid) + "/" + file);
  }

  void ExpectHidden(MountedTusfs const& mount) const {
    auto const daemon = mount.DaemonPid();
    ASSERT_GT(daemon, 0);
    for (auto const pid : {mount.KeeperPid(), daemon}) {
      EXPECT_THAT(Of(pid, "cmdline"), Not(HasSubstr(kSecret)));
      EXPECT_THAT(Of(pid, "environ"), Not(HasSubstr(kSecret)));
    }
    EXPECT_THAT(ReadFile("/proc/self/mountinfo"), Not(HasSubstr(kSecret)));
    EXPECT_THAT(mount.Log(), Not(HasSubstr(kSecret)));
    EXPECT_EQ(mount.Status().value("url", ""), ShownUrl());
    for (Command const& command :
         {Command{"status", mount.mountpoint()}, Command{"list", "--json", mount.mountpoint()}}) {
      auto const answer = TusfsCtl(command);
      EXPECT_THAT(answer.out + answer.err, Not(HasSubstr(kSecret)));
    }
    for (auto const& entry : fs::directory_iterator(dir_ / "run")) {
      if (entry.path().extension() != ".json") continue;
      EXPECT_THAT(ReadFile(entry.path()), Not(HasSubstr(kSecret)));
    }
  }
};

TEST_F(SecretsTest, AUrlFromAFileIsSeenNowhereAndOutlivesItsDaemon) {
  WriteFile(dir_ / "url", SecretUrl() + "\n");
  MountedTusfs mount("none", {"--url-file", dir_ / "url"});
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "first", "first");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectHidden(mount);
  // The next daemon has it of the keeper, whatever has become of the file.
  fs::remove(dir_ / "url");
  ASSERT_GT(mount.KillDaemon(), 0);
  SendMarker(mount, "second");
  ExpectHidden(mount);
}

TEST_F(SecretsTest, AUrlOnTheCommandLineIsHiddenThere) {
  MountedTusfs mount(SecretUrl());
  ASSERT_EQ(mount.Mount(), "");
  SendMarker(mount, "file");
  ExpectHidden(mount);
  EXPECT_THAT(ReadFile("/proc/self/mountinfo"), HasSubstr(" " + ShownUrl() + " "));
}

TEST_F(SecretsTest, AStateDirectoryOfAnotherUrlIsRefusedWithoutSayingIt) {
  MountedTusfs mount(SecretUrl());
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.Unmount(), 0);
  auto const refused = RunProgram({TusfsProgram(), server_->Url() + "?token=other-s3cret",
                                   mount.mountpoint(), "--state-dir", mount.state_dir()});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("behind the '?'"));
  EXPECT_THAT(refused.err, Not(HasSubstr("s3cret")));
}

TEST_F(SecretsTest, NoProcessOfTheMountLeavesItsMemoryToAFileUnlessAsked) {
  auto const limit = [](pid_t pid) {
    std::istringstream limits(Of(pid, "limits"));
    std::string line;
    while (std::getline(limits, line) && !line.starts_with("Max core file size")) {
    }
    return line;
  };
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  for (auto const pid : {mount.KeeperPid(), mount.DaemonPid()}) {
    EXPECT_THAT(limit(pid), ::testing::ContainsRegex("size +0 ")) << pid;
  }
  ASSERT_EQ(mount.Unmount(), 0);
  mount.SetOptions({"--core-dumps"});
  ASSERT_EQ(mount.Mount(), "");
  auto const before = limit(::getpid());
  for (auto const pid : {mount.KeeperPid(), mount.DaemonPid()}) EXPECT_EQ(limit(pid), before);
}

}  // namespace
}  // namespace tusfs_testing
