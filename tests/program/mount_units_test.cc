// Units that others are ordered by.
#include "program/mount_units.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "testing/files.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

TEST(MountUnits, TheProgramIsTheGeneratorByItsName) {
  EXPECT_TRUE(IsUnitGenerator("/usr/lib/systemd/system-generators/tusfs-generator"));
  EXPECT_FALSE(IsUnitGenerator("/usr/bin/tusfs"));
  EXPECT_FALSE(IsUnitGenerator("/sbin/mount.tusfs"));
}

TEST(MountUnits, AUnitComesBehindItsServiceAndDoesNotEndWithEachDeathOfIt) {
  auto const unit = MountUnitFor("rig", "/mnt/rig/");
  ASSERT_TRUE(unit) << unit.error().context;
  EXPECT_EQ(unit->file_name, "mnt-rig.mount");
  EXPECT_THAT(unit->text, HasSubstr("\nAfter=tusfs@rig.service\n"));
  EXPECT_THAT(unit->text, HasSubstr("\nWants=tusfs@rig.service\n"));
  EXPECT_THAT(unit->text, HasSubstr("\nWhat=tusfs@rig.service\nWhere=/mnt/rig\nType=tusfs\n"));
  EXPECT_THAT(unit->text, testing::Not(HasSubstr("\nRequires=")));
}

TEST(MountUnits, NamesAreWrittenAsSystemdReadsThem) {
  auto const unit = MountUnitFor("rig-2", "/mnt/a b-c%d//.e");
  ASSERT_TRUE(unit) << unit.error().context;
  EXPECT_EQ(unit->file_name, "mnt-a\\x20b\\x2dc\\x25d-.e.mount");
  EXPECT_THAT(unit->text, HasSubstr("\nWhere=/mnt/a b-c%%d/.e\n"));
}

TEST(MountUnits, WhatCannotBeOneIsRefusedByName) {
  for (std::string const mountpoint : {"/", "mnt", "", "/mnt/a\nExecStart=x", "/mnt/a\\"}) {
    auto const unit = MountUnitFor("rig", mountpoint);
    ASSERT_FALSE(unit) << mountpoint;
    EXPECT_THAT(unit.error().context, HasSubstr("mount point '" + mountpoint + "'"));
  }
  EXPECT_FALSE(MountUnitFor("a b", "/mnt/rig"));
  EXPECT_FALSE(MountUnitFor("", "/mnt/rig"));
}

TEST(MountUnits, EachFileOfSettingsHasOne) {
  TempDir const dir;
  std::filesystem::create_directories(dir / "etc");
  std::filesystem::create_directories(dir / "late");
  WriteFile(dir / "etc/rig.toml",
            "url = \"http://tus/\"\nmountpoint = \"/mnt/rig\"\nunknown = 1\n");
  WriteFile(dir / "etc/rig.toml.bak", "mountpoint = \"/mnt/old\"\n");
  WriteFile(dir / "etc/none.toml", "url = \"http://tus/\"\n");
  WriteFile(dir / "etc/torn.toml", "mountpoint = \n");
  auto const wrong = WriteMountUnits(dir / "etc", dir / "late");
  EXPECT_THAT(wrong, testing::UnorderedElementsAre(HasSubstr("none.toml: it has no mount point"),
                                                   HasSubstr("torn.toml: line 1")));
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(dir / "late")) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, ElementsAre("mnt-rig.mount"));
  EXPECT_THAT(WriteMountUnits(dir / "not there", dir / "late"), IsEmpty());
}

TEST(MountUnits, AMountThatDoesNotComeIsToldWithItsService) {
  TempDir const dir;
  auto const waited =
      AwaitServiceMount("tusfs@rig.service", dir.path(), std::chrono::milliseconds(20));
  ASSERT_FALSE(waited);
  EXPECT_THAT(waited.error().context, HasSubstr("systemctl status tusfs@rig.service"));
}

}  // namespace
}  // namespace tusfs
