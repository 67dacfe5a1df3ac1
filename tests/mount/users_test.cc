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
