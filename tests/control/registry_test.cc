// Registry: which mounts there are.
#include "control/registry.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>

#include "base/fakes.h"
#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Long enough for what must not happen to happen.
constexpr std::chrono::milliseconds kMoment{200};

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
  std::vector<std::string> const paths{"/a/b", "/a-b", "/a\\x2db", "/a/b-", "/a b", "/ab",
                                       "/a_b", "/.a",  "/x2ea",    "/a.b",  "/A/B"};
  for (auto const& path : paths) names.insert(EscapePath(path));
  EXPECT_EQ(names.size(), paths.size());
}

TEST(EscapePath, TheResultIsOneComponent) {
  auto const name = EscapePath("/a/../b//c/\n");
  EXPECT_EQ(name.find('/'), std::string::npos);
  EXPECT_EQ(name.find('\n'), std::string::npos);
}

TEST(OwnerOfTusfs, IsWhoMountedIt) {
  auto const owner_of = [](std::string const& type, std::string const& options) {
    return OwnerOfTusfs(
        ParseMountLine("36 35 0:41 / /mnt rw,nosuid - " + type + " http://tus/ " + options));
  };
  EXPECT_EQ(owner_of("fuse.tusfs", "rw,user_id=1000,group_id=100"), 1000u);
  EXPECT_EQ(owner_of("fuse.tusfs", "rw,user_id=0"), 0u);
  EXPECT_EQ(owner_of("fuse.sshfs", "rw,user_id=0"), std::nullopt);
  EXPECT_EQ(owner_of("fuse.tusfs", "rw,user_id=,group_id=1"), std::nullopt);
  EXPECT_EQ(owner_of("fuse.tusfs", "rw,user_id=1x"), std::nullopt);
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
  tusfs_testing::WriteFile(directory_ / "somebodys", "x");
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

TEST_F(Registry, ALinkInPlaceOfAFileIsNotWrittenThrough) {
  auto const directory = RuntimeDirectory().value();
  tusfs_testing::WriteFile(dir_ / "treasure", "x");
  for (auto const* const name : {"mnt-a.json.new", "mnt-a.lock"}) {
    std::filesystem::create_symlink(dir_ / "treasure", directory / name);
  }
  EXPECT_FALSE(RegisterMount(directory, Entry("/mnt/a")));
  EXPECT_FALSE(LockMount(directory, "/mnt/a"));
  EXPECT_EQ(tusfs_testing::ReadFile(dir_ / "treasure"), "x");
}

TEST_F(Registry, WhatAKeeperKnowsIsFoundAgain) {
  auto const directory = RuntimeDirectory().value();
  auto entry = Entry("/mnt/a");
  entry.daemon_pid = 0;
  entry.starts = 12;
  entry.last_end = "killed by signal 9 (Killed)";
  entry.problem = "the file '/usr/bin/\xff\"' is\nno program";
  ASSERT_TRUE(Ok(RegisterMount(directory, entry)));
  auto const mounts = ListMounts();
  ASSERT_THAT(mounts, SizeIs(1)) << "bytes that are no text do not hide a mount";
  EXPECT_EQ(mounts[0].daemon_pid, 0);
  EXPECT_EQ(mounts[0].starts, 12U);
  EXPECT_EQ(mounts[0].last_end, "killed by signal 9 (Killed)");
  EXPECT_THAT(mounts[0].problem, testing::HasSubstr("is\nno program"));
}

TEST_F(Registry, AnEntryOfATusfsWithoutAKeeperIsReadAsWell) {
  auto const directory = RuntimeDirectory().value();
  tusfs_testing::WriteFile(directory / "old.json",
                           R"({"mount": "/mnt/a", "url": "u", "state_dir": "s", "socket": "x",)"
                           R"("daemon_pid": 5})");
  ASSERT_THAT(ListMounts(), SizeIs(1));
  EXPECT_EQ(ListMounts()[0].daemon_pid, 5);
  EXPECT_EQ(ListMounts()[0].starts, 0U);
  EXPECT_EQ(ListMounts()[0].last_end, "");
}

// ---- who keeps a mount

// Another process that keeps `mount` until it is ended.
class OtherKeeper {
 public:
  OtherKeeper(std::filesystem::path const& directory, std::string const& mount) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      auto const lock = LockMount(directory, mount);
      if (lock) [[maybe_unused]]
        auto const told = ::write(ends[1], "x", 1);
      ::pause();
      ::_exit(0);
    }
    ::close(ends[1]);
    char locked = 0;
    holds_ = ::read(ends[0], &locked, 1) == 1;
    ::close(ends[0]);
  }
  ~OtherKeeper() { End(); }
  OtherKeeper(OtherKeeper const&) = delete;
  OtherKeeper& operator=(OtherKeeper const&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool holds() const { return holds_; }
  void End() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  bool holds_ = false;
};

TEST_F(Registry, TheKeeperOfAMountIsKnownWhileItLives) {
  auto const directory = RuntimeDirectory().value();
  auto entry = Entry("/mnt/a");
  entry.socket = SocketPath(directory, "/mnt/a").string();
  EXPECT_EQ(KeeperOf(entry), 0) << "nobody has ever kept it";
  OtherKeeper keeper(directory, "/mnt/a");
  ASSERT_TRUE(keeper.holds());
  EXPECT_EQ(KeeperOf(entry), keeper.pid());
  auto other = Entry("/mnt/b");
  other.socket = SocketPath(directory, "/mnt/b").string();
  EXPECT_EQ(KeeperOf(other), 0) << "a mount has its own";
  auto const asked_again = KeeperOf(entry);
  EXPECT_EQ(asked_again, keeper.pid()) << "asking takes nothing away";
  keeper.End();
  EXPECT_EQ(KeeperOf(entry), 0);
}

TEST_F(Registry, AMountIsKeptByOneProcessAndTheNextOneWaitsForItsEnd) {
  auto const directory = RuntimeDirectory().value();
  OtherKeeper keeper(directory, "/mnt/a");
  ASSERT_TRUE(keeper.holds());
  std::atomic<bool> locked = false;
  std::atomic<pid_t> waited_for = 0;
  std::jthread const next([&] {
    EXPECT_TRUE(Ok(LockMount(directory, "/mnt/a", [&](pid_t pid) { waited_for = pid; })));
    locked = true;
  });
  EXPECT_TRUE(Ok(LockMount(directory, "/mnt/b"))) << "another mount need not wait";
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return waited_for == keeper.pid(); }));
  EXPECT_FALSE(tusfs_testing::WaitFor([&] { return locked.load(); }, kMoment));
  keeper.End();
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return locked.load(); }));
}

TEST_F(Registry, ALockThatSomebodyElseLaidAsALinkIsNotFollowed) {
  auto const directory = RuntimeDirectory().value();
  auto entry = Entry("/mnt/a");
  entry.socket = SocketPath(directory, "/mnt/a").string();
  auto const lock = directory / "mnt-a.lock";
  OtherKeeper const keeper(directory, "/mnt/other");
  std::filesystem::create_symlink(directory / "mnt-other.lock", lock);
  EXPECT_EQ(KeeperOf(entry), 0);
}

}  // namespace
}  // namespace tusfs
