// What mount(8) says to a helper.
#include "options/mount_helper.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string RefusalOf(std::vector<std::string> const& words) {
  auto const read = ReadMountHelper(words);
  return read ? "it was taken" : read.error().context;
}

TEST(MountHelper, IsToldByTheNameThatItWasStartedAs) {
  EXPECT_TRUE(IsMountHelper("/sbin/mount.tusfs"));
  EXPECT_TRUE(IsMountHelper("mount.tusfs"));
  for (std::string const name : {"tusfs", "/usr/bin/tusfs", "/mount.tusfs/tusfs", ""}) {
    EXPECT_FALSE(IsMountHelper(name)) << name;
  }
}

TEST(MountHelper, WhatMountSaysBecomesACommandLine) {
  auto const read = ReadMountHelper(
      {"/sbin/mount.tusfs", "http://tus/", "/mnt", "-o", "rw,settle=3", "-v", "-t", "tusfs"});
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->fake);
  EXPECT_THAT(read->arguments,
              ElementsAre("/sbin/mount.tusfs", "-o", "rw,settle=3", "--", "http://tus/", "/mnt"));
}

TEST(MountHelper, FlagsMayStandTogetherAndBeforeTheRest) {
  auto const read = ReadMountHelper({"mount.tusfs", "-sfo", "rw", "-ofoo", "-n", "none", "-"});
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->fake);
  EXPECT_THAT(read->arguments,
              ElementsAre("mount.tusfs", "-o", "rw", "-o", "foo", "--", "none", "-"));
}

TEST(MountHelper, AServiceInPlaceOfTheUrlMountsByItself) {
  auto const read = ReadMountHelper({"mount.tusfs", "tusfs@rig.service", "/mnt/rig", "-o", "rw"});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->service, "tusfs@rig.service");
  EXPECT_EQ(read->mountpoint, "/mnt/rig");
  auto const url = ReadMountHelper({"mount.tusfs", "http://tus/", "/mnt/rig"});
  ASSERT_TRUE(url);
  EXPECT_EQ(url->service, "");
}

TEST(MountHelper, WhatThereIsNotIsRefusedByName) {
  EXPECT_THAT(RefusalOf({"mount.tusfs", "a", "b", "-x"}), HasSubstr("-x"));
  EXPECT_THAT(RefusalOf({"mount.tusfs", "a", "b", "--help"}), HasSubstr("URL MOUNTPOINT"));
  EXPECT_THAT(RefusalOf({"mount.tusfs", "a", "b", "-o"}), HasSubstr("-o needs a value"));
  EXPECT_THAT(RefusalOf({"mount.tusfs", "a", "b", "-N", "/proc/1/ns/mnt"}), HasSubstr("nsenter"));
}

TEST(MountHelper, EndsAsMountWants) {
  EXPECT_EQ(MountHelperStatus(0), 0);
  EXPECT_EQ(MountHelperStatus(2), 1) << "incorrect invocation";
  EXPECT_EQ(MountHelperStatus(1), 32) << "mount failure";
  EXPECT_EQ(MountHelperStatus(65), 32);
}

}  // namespace
}  // namespace tusfs
