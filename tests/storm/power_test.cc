// Power cuts: the disk of the state directory is what it was in one instant, which is the moment of
// a reflink of the image that it lies in; the next boot mounts that.
//
// At the instant tusfs is stopped, so that it cannot tell the server what the disk does not know.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "mount/mount_test.h"
#include "storm/loop_disk.h"
#include "storm/parts.h"
#include "storm/promises.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

constexpr auto kBootId = "/proc/sys/kernel/random/boot_id";

class PowerStorm : public MountTest, public ::testing::WithParamInterface<char const*> {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: power cuts need root";
    if (!HaveProgram("mkfs.xfs")) GTEST_SKIP() << "SKIPPED: power cuts need mkfs.xfs (xfsprogs)";
    // The boot id is replaced for this process and its children, and no mount outlives them.
    if (auto const why = EnterMountNamespace(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    outer_ = std::make_unique<LoopDisk>(dir_ / "outer.img", "xfs", 6144 * kMiB, dir_ / "outer");
    if (auto const why = outer_->Mount(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    disk_ =
        std::make_unique<LoopDisk>(*outer_ / "disk.img", GetParam(), 1536 * kMiB, dir_ / "disk");
  }

  void TearDown() override { ::umount2(kBootId, MNT_DETACH); }

  void Boot() {
    ASSERT_EQ(disk_->Mount(), "");
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
    int const from = ::open(disk_->image().c_str(), O_RDONLY | O_CLOEXEC);
    int const to =
        ::open((*outer_ / "next.img").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(::ioctl(to, FICLONE, from), 0) << std::generic_category().message(errno);
    ::close(to);
    ::close(from);
    mount.Kill9();
    promises.JoinWriters();
    ASSERT_EQ(::umount2(mount.mountpoint().c_str(), MNT_DETACH), 0);
    ASSERT_TRUE(disk_->Unmount());
    std::filesystem::rename(*outer_ / "next.img", disk_->image());
  }

  std::unique_ptr<LoopDisk> outer_;
  std::unique_ptr<LoopDisk> disk_;
};

TEST_P(PowerStorm, WhatWasSyncedIsThereAndHalfAFileIsNeverPublished) {
  Storm storm(std::string("power ") + GetParam(), "cuts", 4);
  StartServer(ServerKind::kFixture);
  bool const in_parts = storm.InParts();
  Command options{"--chunk-size", "256KiB", "--state-dir", *disk_ / "state"};
  if (in_parts) options = WithParts(std::move(options));
  MountedTusfs mount(server_->Url(), options);
  Promises promises(storm.seed(), in_parts ? kSizesInParts : WriterSizes{});
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
  // Parts that the catalog has forgotten with the cut stay on the server: nobody knows them.
  if (in_parts) {
    AwaitArrivalOfParts(mount, *server_);
  } else {
    EXPECT_EQ(mount.WaitUploaded(), 0);
  }
  promises.CheckServer(*server_);
  storm.SetDetails("files " + std::to_string(promises.files()) + ", interrupted " +
                   std::to_string(promises.interrupted()));
  EXPECT_EQ(mount.Unmount(), 0);
}

INSTANTIATE_TEST_SUITE_P(Disks, PowerStorm, ::testing::Values("ext4", "xfs"),
                         [](auto const& disk) { return std::string(disk.param); });

}  // namespace
}  // namespace tusfs_testing
