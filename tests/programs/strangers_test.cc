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

  /// Mounts by a script in place of tusfs; it has the words before "$@" in front of tusfs's own.
  void MountThrough(std::string const& before, Command options) {
    auto const script = dir_ / "tusfs-through";
    WriteFile(script, "#!/bin/sh\nexec " + before + " '" + TusfsProgram() + "' \"$@\"\n");
    fs::permissions(script, fs::perms::owner_all | fs::perms::others_exec | fs::perms::others_read);
    options.insert(options.begin(), {"--chunk-size", "1MiB"});
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    mount_->SetProgram(script);
    // The daemon's user has to pass through to its own directories.
    auto const home = mount_->mountpoint().parent_path();
    for (auto const& directory : {dir_.path(), home}) {
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
  ExpectInterrupted("cp, outside of the daemon's process namespace", "clip.mov",
                    "another process namespace");
}

TEST_F(StrangersTest, ADaemonOfAnOrdinaryUserHoldsWhatAKilledRootWroteAndPublishesWhatItClosed) {
  if (auto const why = LetEveryUserMount(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  MountThrough("setpriv --reuid=65534 --regid=65534 --clear-groups", {"--allow-other"});
  fs::create_directory(dir_ / "run");
  Give(dir_ / "run", kNobody);
  Give(mount_->mountpoint(), kNobody);
  Give(mount_->mountpoint().parent_path(), kNobody);
  ASSERT_EQ(mount_->Mount(), "");
  CountFromHere();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  ExpectArrival("cp as root, the daemon is nobody's", "clip.mov", source);
  CountFromHere();
  StartHangingCopy("killed.mov");
  program_.Signal(SIGKILL);
  ASSERT_TRUE(program_.Wait(std::chrono::seconds(10)));
  ExpectInterrupted("cp as root, SIGKILL, the daemon is nobody's", "killed.mov",
                    "hidden from this user");
}

}  // namespace
}  // namespace tusfs_testing
