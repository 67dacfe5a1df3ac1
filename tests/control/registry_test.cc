// Registry: which mounts there are.
#include <cstdlib>
#include <set>

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "control/registry.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(EscapePath, WritesPathsAsSystemdDoes) {
  EXPECT_EQ(EscapePath("/mnt/ingest"), "mnt-ingest");
  EXPECT_EQ(EscapePath("/"), "-");
  EXPECT_EQ(EscapePath("/a-b"), "a\\x2db");
  EXPECT_EQ(EscapePath("/.hidden/.x"), "\\x2ehidden-.x");
  EXPECT_EQ(EscapePath("/with space"), "with\\x20space");
  EXPECT_EQ(EscapePath("/ä"), "\\xc3\\xa4");
}

TEST(EscapePath, DifferentPathsHaveDifferentNames) {
  std::set<std::string> names;
  std::vector<std::string> const paths{"/a/b", "/a-b", "/a\\x2db", "/a/b-", "/a b", "/ab", "/a_b",
                                       "/.a", "/x2ea", "/a.b", "/A/B"};
  for (auto const& path : paths) names.insert(EscapePath(path));
  EXPECT_EQ(names.size(), paths.size());
}

TEST(EscapePath, TheResultIsOneComponent) {
  auto const name = EscapePath("/a/../b//c/\n");
  EXPECT_EQ(name.find('/'), std::string::npos);
  EXPECT_EQ(name.find('\n'), std::string::npos);
}

class Registry : public testing::Test {
 protected:
  Registry() { ::setenv("TUSFS_RUNTIME_DIR", directory_.c_str(), 1); }
  ~Registry() override { ::unsetenv("TUSFS_RUNTIME_DIR"); }

  static MountEntry Entry(std::string const& mount) {
    return {.mount = mount,
            .url = "http://tus/files/",
            .state_dir = "/var/lib/tusfs/x",
            .socket = "/run/tusfs/x.sock",
            .daemon_pid = 4711};
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const directory_ = dir_ / "run" / "tusfs";
};

TEST_F(Registry, AMountIsFoundUntilItIsUnregistered) {
  auto const directory = RuntimeDirectory();
  ASSERT_TRUE(Ok(directory));
  ASSERT_TRUE(Ok(RegisterMount(*directory, Entry("/mnt/a"))));
  ASSERT_TRUE(Ok(RegisterMount(*directory, Entry("/mnt/b"))));
  ASSERT_THAT(ListMounts(), SizeIs(2));
  UnregisterMount(*directory, "/mnt/b");
  auto const mounts = ListMounts();
  ASSERT_THAT(mounts, SizeIs(1));
  EXPECT_EQ(mounts[0].mount, "/mnt/a");
  EXPECT_EQ(mounts[0].url, "http://tus/files/");
  EXPECT_EQ(mounts[0].state_dir, "/var/lib/tusfs/x");
  EXPECT_EQ(mounts[0].socket, "/run/tusfs/x.sock");
  EXPECT_EQ(mounts[0].daemon_pid, 4711);
}

TEST_F(Registry, ARegistrationReplacesTheOneBefore) {
  auto const directory = RuntimeDirectory().value();
  auto entry = Entry("/mnt/a");
  ASSERT_TRUE(Ok(RegisterMount(directory, entry)));
  entry.daemon_pid = 5;
  ASSERT_TRUE(Ok(RegisterMount(directory, entry)));
  ASSERT_THAT(ListMounts(), SizeIs(1));
  EXPECT_EQ(ListMounts()[0].daemon_pid, 5);
}

TEST_F(Registry, LongMountPointsHaveShortSocketsOfTheirOwn) {
  auto const directory = RuntimeDirectory().value();
  std::string const common = "/" + std::string(200, 'x') + "/" + std::string(60, 'y');
  auto const one = SocketPath("/run/user/1000/tusfs", common + "1");
  auto const two = SocketPath("/run/user/1000/tusfs", common + "2");
  EXPECT_NE(one, two);
  EXPECT_LT(one.native().size(), 108U);
  EXPECT_NE(SocketPath("/r", "/1" + common), SocketPath("/r", "/2" + common));
  ASSERT_TRUE(Ok(RegisterMount(directory, Entry(common + "1"))));
  ASSERT_TRUE(Ok(RegisterMount(directory, Entry(common + "2"))));
  EXPECT_THAT(ListMounts(), SizeIs(2));
}

TEST_F(Registry, GarbageIsLeftOut) {
  auto const directory = RuntimeDirectory().value();
  ASSERT_TRUE(Ok(RegisterMount(directory, Entry("/mnt/good"))));
  for (std::string const text :
       {"", "not json", "[]", "5", "{\"mount\": 5}", "{\"mount\": \"/m\", \"daemon_pid\": \"x\"}",
        "{\"mount\": null}", "{\"mount\": \"/m\", \"url\": [1]}", "{\"mount\": \"/m\", \"url\":"}) {
    tusfs_testing::WriteFile(directory / "garbage.json", text);
    auto const mounts = ListMounts();
    ASSERT_GE(mounts.size(), 1U) << text;
    bool found = false;
    for (auto const& mount : mounts) found = found || mount.mount == "/mnt/good";
    EXPECT_TRUE(found) << text;
  }
}

TEST_F(Registry, WithoutARuntimeDirectoryThereAreNoMounts) { EXPECT_THAT(ListMounts(), IsEmpty()); }

TEST_F(Registry, ADirectoryThatOthersCanChangeIsRefusedWithASentence) {
  ASSERT_TRUE(Ok(RuntimeDirectory()));
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  auto const refused = RuntimeDirectory();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EPERM);
  EXPECT_THAT(refused.error().context, testing::HasSubstr("TUSFS_RUNTIME_DIR"));
}

TEST_F(Registry, ALinkThatSomebodyElseLaidIsRefused) {
  std::filesystem::create_directories(directory_.parent_path());
  std::filesystem::create_directory(dir_ / "elsewhere");
  std::filesystem::permissions(dir_ / "elsewhere", std::filesystem::perms::owner_all);
  std::filesystem::create_directory_symlink(dir_ / "elsewhere", directory_);
  EXPECT_FALSE(RuntimeDirectory());
}

}  // namespace
}  // namespace tusfs
