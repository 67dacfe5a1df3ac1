// Mount table: what is mounted where.
#include "base/mount_table.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace tusfs {
namespace {

TEST(ParseMountLine, KnowsWhereAndOfWhatFilesystemWhichPart) {
  auto const line = ParseMountLine(
      "36 35 0:57 /day\\0401 /mnt/a\\134b rw,noatime shared:1 master:2 - fuse.tusfs "
      "https://tus/files/ rw,user_id=0");
  EXPECT_EQ(line.device, "0:57");
  EXPECT_EQ(line.root, "/day 1");
  EXPECT_EQ(line.mountpoint, "/mnt/a\\b");
  EXPECT_EQ(line.options, "rw,noatime");
  EXPECT_EQ(line.type, "fuse.tusfs");
  EXPECT_EQ(line.source, "https://tus/files/");
  EXPECT_EQ(line.filesystem_options, "rw,user_id=0");
}

TEST(ParseMountLine, OfGarbageMakesNothingWorse) {
  for (auto const* const line :
       {"", "-", "1 2 3", "1 2 3 4 \\0 - a", "1 2 0:1 \\04 \\999 x - t s"}) {
    EXPECT_NO_THROW((void)ParseMountLine(line));
  }
}

TEST(ReadMountTable, HasTheRoot) {
  auto const table = ReadMountTable();
  EXPECT_TRUE(std::ranges::any_of(table, [](auto const& line) { return line.mountpoint == "/"; }));
}

}  // namespace
}  // namespace tusfs
