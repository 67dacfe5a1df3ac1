// Power cuts: the disk of the state directory is what it was in one instant, which is the moment of
// a reflink of the image that it lies in; the next boot mounts that.
//
// At the instant tusfs is stopped, so that it cannot tell the server what the disk does not know.
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "mount/mount_test.h"
#include "storm/promises.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kBootId = "/proc/sys/kernel/random/boot_id";

class PowerStorm : public MountTest, public ::testing::WithParamInterface<char const*> {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: power cuts need root";
    if (!HaveProgram("mkfs.xfs")) GTEST_SKIP() << "SKIPPED: power cuts need mkfs.xfs (xfsprogs)";
    // The boot id is replaced for this process and its children, and no mount outlives them.
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    fs::create_directory(outer_);
    fs::create_directory(disk_);
    WriteFile(dir_ / "outer.img", "");
    fs::resize_file(dir_ / "outer.img", 2048 * kMiB);
    auto const made = RunProgram({"mkfs.xfs", "-q", "-m", "reflink=1", dir_ / "outer.img"});
    ASSERT_EQ(made.code, 0) << made.err;
    auto const mounted = RunProgram({"mount", "-o", "loop", dir_ / "outer.img", outer_});
    if (mounted.code != 0) GTEST_SKIP() << "SKIPPED: power cuts need loop devices: " << mounted.err;
    WriteFile(image_, "");
    fs::resize_file(image_, 512 * kMiB);
    auto const inner = RunProgram({std::string("mkfs.") + GetParam(), "-q", image_});
    ASSERT_EQ(inner.code, 0) << inner.err;
  }

  void TearDown() override {
    ::umount2(disk_.c_str(), MNT_DETACH);
    ::umount2(outer_.c_str(), MNT_DETACH);
    ::umount2(kBootId, MNT_DETACH);
  }

  void Boot() {
    auto const mounted = RunProgram({"mount", "-o", "loop", image_, disk_});
    ASSERT_EQ(mounted.code, 0) << mounted.err;
    ::umount2(kBootId, MNT_DETACH);
    WriteFile(dir_ / "boot_id", ReadFile("/proc/sys/kernel/random/uuid"));
    ASSERT_EQ(::mount((dir_ / "boot_id").c_str(), kBootId, nullptr, MS_BIND, nullptr), 0);
  }

  // The disk as it is now is what the next Boot() finds.
  void CutPower(MountedTusfs& mount, Promises& promises) {
    ::kill(-mount.pid(), SIGSTOP);
    promises.Freeze();
    // No program is started meanwhile: a child of this process would close the writers' files, and
    // wait for an answer of what is stopped.
    int const from = ::open(image_.c_str(), O_RDONLY | O_CLOEXEC);
    int const to =
        ::open((dir_ / "outer/next.img").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(::ioctl(to, FICLONE, from), 0) << std::generic_category().message(errno);
    ::close(to);
    ::close(from);
    mount.Kill9();
    promises.JoinWriters();
    ASSERT_EQ(::umount2(mount.mountpoint().c_str(), MNT_DETACH), 0);
    ASSERT_TRUE(WaitFor([&] { return ::umount2(disk_.c_str(), 0) == 0; }));
    fs::rename(dir_ / "outer/next.img", image_);
  }

  fs::path const outer_ = dir_ / "outer";
  fs::path const image_ = dir_ / "outer/disk.img";
  fs::path const disk_ = dir_ / "disk";
};

TEST_P(PowerStorm, WhatWasSyncedIsThereAndHalfAFileIsNeverPublished) {
  Storm storm(std::string("power ") + GetParam(), "cuts", 4);
  StartServer(ServerKind::kFixture);
  MountedTusfs mount(server_->Url(), {"--chunk-size", "256KiB", "--state-dir", disk_ / "state"});
  Promises promises(storm.seed());
  for (int i = 0; i < storm.count(); ++i) {
    Boot();
    ASSERT_EQ(mount.Mount(), "");
    promises.CheckMount(mount, Death::kMachine);
    promises.StartWriters(mount.mountpoint(), 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(storm.Between(0, 1500)));
    CutPower(mount, promises);
    if (HasFatalFailure()) return;
    storm.Done();
  }
  Boot();
  ASSERT_EQ(mount.Mount(), "");
  promises.CheckMount(mount, Death::kMachine);
  EXPECT_EQ(mount.WaitUploaded(), 0);
  promises.CheckServer(*server_);
  storm.SetDetails("files " + std::to_string(promises.files()) + ", interrupted " +
                   std::to_string(promises.interrupted()));
  EXPECT_EQ(mount.Unmount(), 0);
}

INSTANTIATE_TEST_SUITE_P(Disks, PowerStorm, ::testing::Values("ext4", "xfs"),
                         [](auto const& disk) { return std::string(disk.param); });

}  // namespace
}  // namespace tusfs_testing
