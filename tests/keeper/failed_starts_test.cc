// A service whose start fails is tried again, less and less often.
#include "keeper/failed_starts.h"

#include <gtest/gtest.h>

#include "testing/files.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;

TEST(FailedStarts, PausesDoubleFromOneProcessToTheNextUpToHalfAMinute) {
  tusfs_testing::TempDir const dir;
  for (int const expected :
       {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000}) {
    EXPECT_EQ(FailedStarts(dir.path(), "/mnt/rig").Add(), milliseconds(expected));
  }
}

TEST(FailedStarts, BeginAnewWhenOneHasSucceeded) {
  tusfs_testing::TempDir const dir;
  FailedStarts const starts(dir.path(), "/mnt/rig");
  for (int i = 0; i < 5; ++i) static_cast<void>(starts.Add());
  starts.Forget();
  EXPECT_EQ(starts.Add(), milliseconds(100));
}

TEST(FailedStarts, OfTwoMountsAreCountedApart) {
  tusfs_testing::TempDir const dir;
  static_cast<void>(FailedStarts(dir.path(), "/mnt/a").Add());
  EXPECT_EQ(FailedStarts(dir.path(), "/mnt/b").Add(), milliseconds(100));
}

TEST(FailedStarts, ThatCannotBeRememberedArePutOffForLong) {
  tusfs_testing::TempDir const dir;
  tusfs_testing::WriteFile(dir / "file", "x");
  EXPECT_EQ(FailedStarts(dir / "file", "/mnt/rig").Add(), milliseconds(30'000));
  tusfs_testing::WriteFile(dir / "mnt-rig.starts", "nonsense");
  EXPECT_EQ(FailedStarts(dir.path(), "/mnt/rig").Add(), milliseconds(100));
  tusfs_testing::WriteFile(dir / "mnt-rig.starts", "9999999999");
  EXPECT_LE(FailedStarts(dir.path(), "/mnt/rig").Add(), milliseconds(30'000));
}

}  // namespace
}  // namespace tusfs
