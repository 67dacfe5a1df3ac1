// Where a state directory may lie, and how a disk that is not mounted is noticed.
#include "spool/state_disk.h"

#include <gmock/gmock.h>
#include <sys/mount.h>

#include <filesystem>

#include "spool/disk.h"
#include "testing/files.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

TEST(StateDisk, ADirectoryInMemoryIsRefusedUnlessItIsAllowed) {
  if (FilesystemTypeOf("/dev/shm") != "tmpfs") {
    GTEST_SKIP() << "SKIPPED: /dev/shm is no tmpfs here";
  }
  auto const refused = CheckLasting("/dev/shm", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EOPNOTSUPP);
  EXPECT_THAT(refused.error().context,
              AllOf(HasSubstr("'/dev/shm' is in memory (tmpfs)"), HasSubstr("--volatile")));
  EXPECT_TRUE(CheckLasting("/dev/shm", true));
}

TEST(StateDisk, OneWithAMarkerAboveItIsNotMounted) {
  TempDir const dir;
  auto const state = dir / "disk/tusfs/rig";
  EXPECT_TRUE(CheckDiskIsMounted(state)) << "which is not there yet";
  fs::create_directory(dir / "disk");
  WriteFile(dir / "disk" / kNotMounted, "");
  auto const refused = CheckDiskIsMounted(state);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ENODEV) << "it may be mounted later";
  EXPECT_THAT(refused.error().context,
              AllOf(HasSubstr("is not mounted at '" + (dir / "disk").string() + "'"),
                    HasSubstr("remove '" + (dir / "disk" / kNotMounted).string())));
}

/// A directory that is mounted at another one stands for a disk.
class MountedDisk {
 public:
  MountedDisk(fs::path const& disk, fs::path place) : place_(std::move(place)) {
    is_mounted_ = ::mount(disk.c_str(), place_.c_str(), nullptr, MS_BIND, nullptr) == 0;
  }
  ~MountedDisk() {
    if (is_mounted_) ::umount(place_.c_str());
  }
  MountedDisk(MountedDisk const&) = delete;
  MountedDisk& operator=(MountedDisk const&) = delete;

  explicit operator bool() const { return is_mounted_; }

 private:
  fs::path const place_;
  bool is_mounted_ = false;
};

TEST(StateDisk, TheMarkerLiesBeneathTheMountAndIsSeenWithoutIt) {
  TempDir const dir;
  fs::create_directories(dir / "disk/state");
  fs::create_directory(dir / "place");
  auto const place = fs::canonical(dir / "place");
  {
    MountedDisk const mounted(dir / "disk", place);
    if (!mounted) GTEST_SKIP() << "SKIPPED: mounting needs root";
    if (FilesystemTypeOf(place) == "tmpfs") GTEST_SKIP() << "SKIPPED: $TMPDIR is in memory";
    for (int times = 0; times < 2; ++times) {
      auto const marked = MarkBeneathDisk(place / "state");
      ASSERT_TRUE(marked) << marked.error().context;
      EXPECT_EQ(*marked, place / kNotMounted);
    }
    EXPECT_FALSE(fs::exists(place / kNotMounted)) << "nobody sees it";
    EXPECT_TRUE(CheckDiskIsMounted(place / "state"));
  }
  EXPECT_TRUE(fs::exists(place / kNotMounted));
  EXPECT_FALSE(CheckDiskIsMounted(place / "state"));
  MountedDisk const again(dir / "disk", place);
  EXPECT_TRUE(CheckDiskIsMounted(place / "state"));
}

}  // namespace
}  // namespace tusfs
