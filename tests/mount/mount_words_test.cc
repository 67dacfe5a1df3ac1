// What people say with mount(8): bind mounts and remounts of a mount of tusfs.
#include <sys/mount.h>
#include <unistd.h>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class MountWordsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: mount(8) needs root";
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(
        server_->Url(), Command{"--chunk-size=1MiB", "--ignore=*.bak", "-o", "nosuid,nodev"});
    ASSERT_EQ(mount_->Mount(), "");
  }
  void TearDown() override {
    for (auto const& bind : binds_) ::umount2(bind.c_str(), MNT_DETACH);
  }

  fs::path Bind(fs::path const& what, std::string const& name) {
    auto const at = dir_ / name;
    fs::create_directory(at);
    if (::mount(what.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      ADD_FAILURE() << "no bind mount of " << what;
    }
    binds_.push_back(at);
    return at;
  }

  [[nodiscard]] Finished Remount(std::string const& options) const {
    return RunProgram({TusfsProgram(), "none", mount_->mountpoint(), "-o", "remount," + options});
  }

  std::unique_ptr<MountedTusfs> mount_;
  std::vector<fs::path> binds_;
};

TEST_F(MountWordsTest, TusfsctlFindsAMountByABindMountOfItAndOfAPartOfIt) {
  fs::create_directories(*mount_ / "day 1/card");
  WriteFile(*mount_ / "day 1/card/clip", "clip");
  auto const whole = Bind(mount_->mountpoint(), "whole");
  auto const part = Bind(*mount_ / "day 1", "part of it");
  EXPECT_EQ(TusfsCtl({"wait", part / "card/clip"}).code, 0);
  for (auto const& at : {whole / "day 1/card/clip", part / "card/clip", part / "card", part}) {
    auto const listed = TusfsCtl({"list", "--json", at});
    ASSERT_EQ(listed.code, 0) << listed.err;
    ASSERT_EQ(listed.json["files"].size(), 1U) << at;
    EXPECT_EQ(listed.json["files"][0]["path"], "day 1/card/clip");
  }
  EXPECT_EQ(TusfsCtl({"status", "--json", part}).json["mount"], mount_->mountpoint().string());
  // Of two mounts at one place it is the upper one that is meant.
  ASSERT_EQ(::mount("tmpfs", part.c_str(), "tmpfs", 0, nullptr), 0);
  binds_.push_back(part);
  EXPECT_THAT(TusfsCtl({"list", part}).err, HasSubstr("not in a tusfs mount"));
}

TEST_F(MountWordsTest, ARemountThatChangesNothingSucceeds) {
  for (std::string const options :
       {"rw", "rw,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions",
        "chunk-size=1MiB,ignore=*.bak", "exec", "_netdev,nofail,x-systemd.automount"}) {
    auto const remounted = Remount(options);
    EXPECT_EQ(remounted.code, 0) << options << ": " << remounted.err;
  }
  SendMarker(*mount_, "file");
}

TEST_F(MountWordsTest, ARemountThatWouldChangeSomethingIsRefusedWithAReason) {
  for (auto const& [options, named] : {std::pair("ro", "read-only"),
                                       {"chunk-size=2MiB", "chunk-size"},
                                       {"ignore=*.tmp", "ignore"},
                                       {"noexec", "noexec"},
                                       {"suid", "suid"},
                                       {"frob", "frob"}}) {
    auto const refused = Remount(options);
    EXPECT_GT(refused.code, 0) << options;
    EXPECT_THAT(refused.err, HasSubstr(named));
  }
  auto const nothing = RunProgram({TusfsProgram(), "none", dir_.path(), "-o", "remount,rw"});
  EXPECT_GT(nothing.code, 0);
  EXPECT_THAT(nothing.err, HasSubstr("no tusfs is mounted"));
  SendMarker(*mount_, "file");
}

TEST_F(MountWordsTest, MountItselfRemounts) {
  if (!HaveProgram("mount.fuse3")) GTEST_SKIP() << "SKIPPED: there is no mount.fuse3";
  // It looks for tusfs where programs are installed, and nowhere else.
  fs::create_directory(dir_ / "bin");
  fs::copy_file(TusfsProgram(), dir_ / "bin/tusfs");
  auto const remounted =
      RunProgram({"unshare", "--mount", "sh", "-c",
                  R"(mount --bind "$1" /usr/local/bin && mount -o remount,rw "$2")", "sh",
                  dir_ / "bin", mount_->mountpoint()});
  EXPECT_EQ(remounted.code, 0) << remounted.out << remounted.err;
  SendMarker(*mount_, "file");
}

}  // namespace
}  // namespace tusfs_testing
