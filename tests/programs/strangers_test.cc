// Writers that the daemon cannot see into: what it cannot know it holds, with the reason.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 3 * kMiB + 5;
constexpr std::uint64_t kHalf = 2 * kMiB;
constexpr uid_t kNobody = 65534;

class StrangersTest : public ProgramsTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: namespaces and other users need root";
    ProgramsTest::SetUp();
  }

  /// A script for `program` with these words in front of it.
  fs::path Through(std::string const& before, std::string const& program) {
    auto const script = dir_ / (fs::path(program).filename().string() + "-through");
    WriteFile(script, "#!/bin/sh\nexec " + before + " '" + program + "' \"$@\"\n");
    fs::permissions(script, static_cast<fs::perms>(0755));
    return script;
  }

  void MountThrough(std::string const& before, Command options) {
    options.insert(options.begin(), {"--chunk-size", "1MiB"});
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    mount_->SetProgram(Through(before, TusfsProgram()));
    // The daemon's user has to pass through to its own directories.
    for (auto const& directory : {dir_.path(), mount_->mountpoint().parent_path()}) {
      fs::permissions(directory, fs::perms::others_exec, fs::perm_options::add);
    }
  }

  void Give(fs::path const& path, uid_t owner) {
    ASSERT_EQ(::chown(path.c_str(), owner, owner), 0) << path;
  }

  /// This process and its children see a /dev/fuse and a fuse.conf that let every user mount, as
  /// they are on a desktop. Empty, or why not.
  [[nodiscard]] std::string LetEveryUserMount() {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return "no mount namespace of its own";
    }
    auto const node = dir_ / "fuse";
    struct stat real {};
    if (::stat("/dev/fuse", &real) != 0 ||
        ::mknod(node.c_str(), S_IFCHR | 0666, real.st_rdev) != 0 ||
        ::chmod(node.c_str(), 0666) != 0 ||
        ::mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) != 0) {
      return "no /dev/fuse of its own";
    }
    auto const settings = dir_ / "fuse.conf";
    WriteFile(settings, "user_allow_other\n");
    fs::permissions(settings, fs::perms::others_read, fs::perm_options::add);
    if (!fs::exists("/etc/fuse.conf") ||
        ::mount(settings.c_str(), "/etc/fuse.conf", nullptr, MS_BIND, nullptr) != 0) {
      return "no /etc/fuse.conf of its own";
    }
    return HaveProgram("fusermount3") ? "" : "there is no fusermount3";
  }

  void StartHangingCopy(std::string const& name) {
    auto const source = Source("hanging", kSize);
    StartUntil(WithBadSource(source, kHalf, Bad::kStalls, {"cp", source, In(name)}), name, kHalf);
  }
};

TEST_F(StrangersTest, AWriterOutsideOfTheDaemonsProcessNamespaceIsHeldWithItsReason) {
  MountThrough("unshare --pid --fork --kill-child", {});
  ASSERT_EQ(mount_->Mount(), "");
  CountFromHere();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  ExpectHeld("cp, outside of the daemon's process namespace", "clip.mov",
             "another process namespace");
}

TEST_F(StrangersTest, ADaemonOfAnOrdinaryUserHoldsWhatAKilledRootWroteAndPublishesWhatItClosed) {
  if (auto const why = LetEveryUserMount(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  std::string const as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
  MountThrough(as_nobody, {"--allow-other"});
  ::setenv("TUSFSCTL_BIN", Through(as_nobody, TusfsctlProgram()).c_str(), 1);
  fs::create_directory(dir_ / "run");
  Give(dir_ / "run", kNobody);
  Give(mount_->mountpoint(), kNobody);
  Give(mount_->mountpoint().parent_path(), kNobody);
  ASSERT_EQ(mount_->Mount(), "");
  struct stat memory {};
  auto const pid = std::to_string(mount_->pid());
  ASSERT_EQ(::stat(("/proc/" + pid + "/environ").c_str(), &memory), 0);
  EXPECT_EQ(memory.st_uid, 0U) << "its memory is not for other processes of the same user";
  CountFromHere();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  ExpectArrival("cp as root, the daemon is nobody's", "clip.mov", source);
  CountFromHere();
  StartHangingCopy("killed.mov");
  program_.Signal(SIGKILL);
  ASSERT_TRUE(program_.Wait(std::chrono::seconds(10)));
  ExpectHeld("cp as root, SIGKILL, the daemon is nobody's", "killed.mov", "hidden from this user");
}

}  // namespace
}  // namespace tusfs_testing
