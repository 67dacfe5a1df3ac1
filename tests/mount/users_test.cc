// Who may ask about whose mount, and what is said to whoever may not.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class UsersTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: other users are root's to be";
    if (AsNobody({"true"}).code != 0) GTEST_SKIP() << "SKIPPED: nobody cannot be run here";
    if (AsNobody({TusfsctlProgram(), "--version"}).code != 0) {
      GTEST_SKIP() << "SKIPPED: the programs are not where others may run them";
    }
    fs::permissions(dir_.path(), fs::perms::all);
    StartServer(ServerKind::kFixture);
  }

  static Finished AsNobody(Command const& command) {
    Command words{"setpriv",        "--reuid", "65534", "--regid",           "65534",
                  "--clear-groups", "env",     "-u",    "TUSFS_RUNTIME_DIR", "-u",
                  "XDG_RUNTIME_DIR"};
    words.insert(words.end(), command.begin(), command.end());
    return RunProgram(words, std::chrono::seconds(20));
  }
};

TEST_F(UsersTest, WhoeverIsInAMountOfAnotherUserIsToldWhose) {
  MountedTusfs mount(server_->Url(), {"--allow-other"});
  fs::permissions(mount.mountpoint().parent_path(), fs::perms::all);
  ASSERT_EQ(mount.Mount(), "");
  auto const asked = AsNobody({TusfsctlProgram(), "status", mount.mountpoint()});
  EXPECT_EQ(asked.code, 2);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("is in the mount '" + mount.mountpoint().string()),
                               HasSubstr("of root, who alone may ask")));
  auto const elsewhere = AsNobody({TusfsctlProgram(), "status", dir_.path()});
  EXPECT_THAT(elsewhere.err, HasSubstr("is not in a tusfs mount"));
}

TEST_F(UsersTest, MembersOfAGroupMayAskAndNothingElse) {
  MountedTusfs mount(server_->Url(), {"--allow-other", "--control-group", "4711"});
  fs::permissions(mount.mountpoint().parent_path(), fs::perms::all);
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "clip", "bytes");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const ask = [](std::string const& groups, Command const& command) {
    Command words{"setpriv", "--reuid", "65534", "--regid",           "65534",
                  groups,    "env",     "-u",    "TUSFS_RUNTIME_DIR", TusfsctlProgram()};
    words.insert(words.end(), command.begin(), command.end());
    return RunProgram(words, std::chrono::seconds(20));
  };
  auto const status = ask("--groups=99,4711", {"status", mount.mountpoint()});
  EXPECT_EQ(status.code, 0) << status.err;
  EXPECT_THAT(status.out, AllOf(HasSubstr("1 uploaded"),
                                HasSubstr("daemon  process " + std::to_string(mount.DaemonPid()))));
  auto const list = ask("--groups=4711", {"list", mount / "clip"});
  EXPECT_THAT(list.out, HasSubstr("clip"));
  EXPECT_EQ(ask("--groups=4711", {"wait", "--timeout", "10", mount.mountpoint()}).code, 0);

  auto const steered = ask("--groups=4711", {"pause", mount.mountpoint()});
  EXPECT_NE(steered.code, 0);
  EXPECT_THAT(steered.err, HasSubstr("may ask how the mount is, and nothing else"));
  auto const urls = ask("--groups=4711", {"list", "--urls", mount.mountpoint()});
  EXPECT_THAT(urls.err, HasSubstr("and nothing else"));
  EXPECT_THAT(urls.out, Not(HasSubstr("http")));
  auto const stranger = ask("--groups=99", {"status", mount.mountpoint()});
  EXPECT_NE(stranger.code, 0);
  EXPECT_THAT(stranger.err, HasSubstr("members of its --control-group may ask"));
}

TEST_F(UsersTest, AGroupThatIsNotThereIsSaid) {
  MountedTusfs mount(server_->Url(), {"--control-group", "no such group"});
  EXPECT_THAT(mount.Mount(), HasSubstr("there is no group 'no such group' here"));
}

TEST_F(UsersTest, RootFindsAUsersMountWhoseSocketIsBelowTmp) {
  auto const mountpoint = dir_ / "nobodys";
  fs::create_directory(mountpoint);
  ASSERT_EQ(::chown(mountpoint.c_str(), 65534, 65534), 0);
  auto const started = AsNobody({TusfsProgram(), server_->Url(), mountpoint, "--state-dir",
                                 dir_ / "nobodys-state", "--volatile"});
  if (started.code != 0) GTEST_SKIP() << "SKIPPED: nobody cannot mount here: " << started.err;
  ::unsetenv("TUSFS_RUNTIME_DIR");
  auto const asked = TusfsCtl({"status", mountpoint});
  EXPECT_EQ(asked.code, 0) << asked.err;
  EXPECT_THAT(asked.out, HasSubstr(mountpoint.string()));
  EXPECT_EQ(RunProgram({"umount", mountpoint}).code, 0);
}

TEST_F(UsersTest, WhatFusermountRefusesIsNotGuessedAt) {
  auto const mountpoint = dir_ / "roots";  // which nobody may not write to
  fs::create_directory(mountpoint);
  auto const refused = AsNobody({TusfsProgram(), server_->Url(), mountpoint, "--state-dir",
                                 dir_ / "nobodys-state", "--volatile"});
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("cannot mount at '" + mountpoint.string()), Not(HasSubstr("fuse3"))));
}

}  // namespace
}  // namespace tusfs_testing
