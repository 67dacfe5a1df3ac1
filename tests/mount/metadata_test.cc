// Metadata that directories say of what is written beneath them.
#include <sys/xattr.h>

#include <cerrno>
#include <map>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

class MetadataTest : public MountTest {
 protected:
  static void Say(std::filesystem::path const& path, std::string const& key,
                  std::string const& value) {
    auto const name = "user.tus.meta." + key;
    EXPECT_EQ(::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0), 0) << key;
  }

  std::map<std::string, std::string> MetadataOf(std::string const& path) {
    for (auto const& upload : server_->fixture()->Uploads()) {
      auto const found = upload.metadata.find("relativePath");
      if (found != upload.metadata.end() && found->second == path) return upload.metadata;
    }
    ADD_FAILURE() << path << " is not on the server";
    return {};
  }
};

TEST_F(MetadataTest, WhatADirectorySaysGoesAlongWithAllThatIsWrittenBeneath) {
  StartServer(ServerKind::kFixture);
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  std::filesystem::create_directories(mount / "day1/A001");
  Say(mount.mountpoint(), "project", "dune");
  Say(mount / "day1", "unit", "second");
  Say(mount / "day1", "mtime", "");
  WriteFile(mount / "day1/A001/clip", "bytes");
  WriteFile(mount / "other", "bytes");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto clip = MetadataOf("day1/A001/clip");
  EXPECT_EQ(clip["project"], "dune");
  EXPECT_EQ(clip["unit"], "second");
  EXPECT_EQ(clip.count("mtime"), 0U) << "an empty one leaves its key out";
  auto other = MetadataOf("other");
  EXPECT_EQ(other["project"], "dune");
  EXPECT_EQ(other.count("unit"), 0U);
}

TEST_F(MetadataTest, AKeyThatNoServerTakesIsRefusedWhenItIsSet) {
  StartServer(ServerKind::kFixture);
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  for (auto const* name : {"user.tus.meta.a b", "user.tus.meta.tusfsId"}) {
    EXPECT_EQ(::setxattr(mount.mountpoint().c_str(), name, "x", 1, 0), -1);
    EXPECT_EQ(errno, EINVAL) << name;
  }
}

}  // namespace
}  // namespace tusfs_testing
