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

/// mount(8) looks for its helpers in /sbin: a namespace in which there is nothing else.
class MountTypeTest : public MountWordsTest {
 protected:
  void SetUp() override {
    MountWordsTest::SetUp();
    if (IsSkipped()) return;
    auto const unshared = RunProgram({"unshare", "--mount", "true"});
    if (unshared.code != 0) GTEST_SKIP() << "SKIPPED: no mount namespace: " << unshared.err;
    fs::create_directory(dir_ / "sbin");
    fs::create_symlink(TusfsProgram(), dir_ / "sbin/mount.tusfs");
    fs::create_directory(dir_ / "by type");
  }

  /// Runs `commands` there, with $1 the URL, $2 a mount point, $3 tusfsctl and $4 a directory.
  [[nodiscard]] Finished Run(std::string const& commands) const {
    return RunProgram({"unshare", "--mount", "sh", "-c",
                       R"(mount --bind "$4/sbin" /usr/sbin || exit 99; )" + commands, "sh",
                       server_->Url(), dir_ / "by type", TusfsctlProgram(), dir_.path()});
  }
};

TEST_F(MountTypeTest, MountKnowsTheType) {
  auto const done = Run(R"(set -e
    mount -t tusfs "$1" "$2" -o "volatile,state-dir=$4/other,settle=0.1,_netdev,nofail,noexec"
    echo hello >"$2/by-type"
    "$3" wait --timeout 30 "$2"
    grep -q "by.040type fuse.tusfs .*noexec" /proc/self/mounts
    umount "$2")");
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_EQ(server_->Published("by-type"), 1);
}

TEST_F(MountTypeTest, FstabMountsIt) {
  WriteFile(dir_ / "fstab",
            server_->Url() + " " + (dir_ / "by").string() + "\\040type tusfs " +
                "_netdev,nofail,x-systemd.automount,volatile,settle=0.1,state-dir=" +
                (dir_ / "other").string() + " 0 0\n");
  auto const done = Run(R"(set -e
    mount --fstab "$4/fstab" "$2"
    echo hello >"$2/by-fstab"
    "$3" wait --timeout 30 "$2"
    umount "$2")");
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_EQ(server_->Published("by-fstab"), 1);
}

TEST_F(MountTypeTest, WhatIsWrongIsSaidWithTheStatusOfMount) {
  auto const wrong = Run(R"(mount -t tusfs "$1" "$2" -o "setle=1")");
  EXPECT_EQ(wrong.code, 1) << "incorrect invocation";
  EXPECT_THAT(wrong.err, HasSubstr("unknown mount option 'setle'"));
  auto const held = Run(R"(timeout 20 mount -t tusfs "$1" "$2" -o foreground)");
  EXPECT_EQ(held.code, 1) << "incorrect invocation";
  EXPECT_THAT(held.err, HasSubstr("foreground would hold up mount(8)"));
  auto const busy = Run(R"(mount -t tusfs "$1" ")" + mount_->mountpoint().string() + R"(")");
  EXPECT_EQ(busy.code, 32) << "mount failure: " << busy.err;
  auto const fake = Run(R"(/sbin/mount.tusfs "$1" "$2" -f && ! grep -q "by.040type" /proc/mounts)");
  EXPECT_EQ(fake.code, 0) << fake.err;
}

}  // namespace
}  // namespace tusfs_testing
