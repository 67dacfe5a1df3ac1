// What programs hold of the mount outlives the daemon: descriptors, maps, locks, directories.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <utility>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

class TakeoverTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--chunk-size", "1MiB"});
    ASSERT_EQ(mount_->Mount(), "");
  }
  void TearDown() override {
    for (int const fd : open_) ::close(fd);
  }

  int Open(std::string const& name, int flags) {
    int const fd = ::open((*mount_ / name).c_str(), flags | O_CLOEXEC, 0644);
    EXPECT_GE(fd, 0) << name;
    open_.push_back(fd);
    return fd;
  }
  void Close(int fd) {
    std::erase(open_, fd);
    EXPECT_EQ(::close(fd), 0);
  }

  void KillDaemon() { ASSERT_NE(mount_->KillDaemon(), 0); }

  [[nodiscard]] std::size_t SpoolFiles() const {
    std::size_t files = 0;
    for (auto const& entry : fs::recursive_directory_iterator(mount_->state_dir() / "spool")) {
      if (entry.is_regular_file()) ++files;
    }
    return files;
  }

  std::unique_ptr<MountedTusfs> mount_;
  std::vector<int> open_;
};

TEST_F(TakeoverTest, OpenDescriptorsGoOn) {
  WriteFile(*mount_ / "read", "to be read");
  WriteFile(*mount_ / "append", "first,");
  int const reader = Open("read", O_RDONLY);
  int const appender = Open("append", O_WRONLY | O_APPEND);
  int const both = Open("both", O_RDWR | O_CREAT);
  ASSERT_EQ(::write(both, "before", 6), 6);
  KillDaemon();
  char bytes[32] = {};
  EXPECT_EQ(::read(reader, bytes, sizeof bytes), 10);
  EXPECT_STREQ(bytes, "to be read");
  EXPECT_EQ(::write(appender, "second", 6), 6);
  EXPECT_EQ(::write(both, " and after", 10), 10);
  EXPECT_EQ(::pread(both, bytes, 16, 0), 16);
  EXPECT_EQ(std::string(bytes, 16), "before and after");
  EXPECT_EQ(::fsync(both), 0);
  for (int const fd : {reader, appender, both}) Close(fd);

  EXPECT_EQ(ReadFile(*mount_ / "append"), "first,second");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(TakeoverTest, AMemoryMapIsWrittenBackByTheSuccessor) {
  constexpr std::size_t kSize = 64 * 1024;
  int const fd = Open("mapped", O_RDWR | O_CREAT);
  ASSERT_EQ(::ftruncate(fd, kSize), 0);
  auto* const map =
      static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  ASSERT_NE(map, MAP_FAILED);
  std::memset(map, 'a', kSize / 2);
  KillDaemon();
  std::memset(map + kSize / 2, 'b', kSize / 2);
  EXPECT_EQ(::msync(map, kSize, MS_SYNC), 0);
  EXPECT_EQ(::munmap(map, kSize), 0);
  Close(fd);
  EXPECT_TRUE(ReadFile(*mount_ / "mapped") ==
              std::string(kSize / 2, 'a') + std::string(kSize / 2, 'b'));
}

TEST_F(TakeoverTest, LocksStayWithTheirHolder) {
  WriteFile(*mount_ / "locked", "");
  int const holder = Open("locked", O_RDWR);
  ASSERT_EQ(::flock(holder, LOCK_EX), 0);
  struct flock range {};
  range.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(holder, F_OFD_SETLK, &range), 0);
  KillDaemon();
  int const other = Open("locked", O_RDWR);
  EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0);
  EXPECT_NE(::fcntl(other, F_OFD_SETLK, &range), 0);
  Close(holder);
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::fcntl(other, F_OFD_SETLK, &range), 0);
}

TEST_F(TakeoverTest, ADirectoryHalfReadGoesOnWithEachNameOnce) {
  constexpr int kFiles = 2000;
  fs::create_directory(*mount_ / "many");
  for (int i = 0; i < kFiles; ++i) WriteFile(*mount_ / ("many/file" + std::to_string(i)), "");
  DIR* const directory = ::opendir((*mount_ / "many").c_str());
  ASSERT_NE(directory, nullptr);
  std::multiset<std::string> names;
  for (int i = 0; i < 10; ++i) names.insert(::readdir(directory)->d_name);
  KillDaemon();
  while (auto const* entry = ::readdir(directory)) names.insert(entry->d_name);
  ::closedir(directory);
  EXPECT_EQ(names.size(), kFiles + 2U);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST_F(TakeoverTest, AnUnlinkedOpenFileLivesUntilItIsClosed) {
  int const fd = Open("gone", O_RDWR | O_CREAT);
  ASSERT_EQ(::write(fd, "still", 5), 5);
  ASSERT_EQ(::unlink((*mount_ / "gone").c_str()), 0);
  KillDaemon();
  EXPECT_EQ(::write(fd, " here", 5), 5);
  char bytes[11] = {};
  EXPECT_EQ(::pread(fd, bytes, 10, 0), 10);
  EXPECT_STREQ(bytes, "still here");
  EXPECT_EQ(SpoolFiles(), 1U);
  Close(fd);
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 0; }));
}

TEST_F(TakeoverTest, AWriterKilledAfterTheTakeoverLeavesItsFileInterrupted) {
  ChildProcess writer;
  auto const path = (*mount_ / "cut").string();
  writer.Start({"sh", "-c", "exec cat /dev/zero >'" + path + "'"}, dir_ / "out", dir_ / "err");
  ASSERT_TRUE(WaitFor([&] { return fs::exists(path) && fs::file_size(path) > kMiB; }));
  KillDaemon();
  auto const size = fs::file_size(path);
  ASSERT_TRUE(WaitFor([&] { return fs::file_size(path) > size; }));
  writer.Signal(SIGKILL);
  EXPECT_TRUE(WaitFor([&] { return mount_->State("cut") == "interrupted"; }))
      << mount_->Listed("cut");
  EXPECT_EQ(server_->Published("cut"), 0);
}

TEST_F(TakeoverTest, AnUploadGoesOnFromTheServersOffsetAndWaitWaits) {
  constexpr std::uint64_t kSize = 24 * kMiB;
  constexpr int kKills = 4;
  server_.reset();
  mount_.reset();
  StartServer(ServerKind::kFixture, 12'000'000);
  mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--chunk-size", "1MiB"});
  ASSERT_EQ(mount_->Mount(), "");
  auto const source = Source("source", kSize);
  Copy(source, *mount_ / "file");
  ChildProcess wait;
  wait.Start({TusfsctlProgram(), "wait", mount_->mountpoint()}, dir_ / "out", dir_ / "err");
  for (std::uint64_t kill = 1; kill <= kKills; ++kill) {
    ASSERT_TRUE(WaitFor([&] {
      auto const upload = server_->Find("file");
      return upload && upload->offset >= kill * kSize / (kKills + 1);
    }));
    KillDaemon();
  }
  auto const ended = wait.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 0) << ReadFile(dir_ / "err");
  ExpectArrived("file", source);
  EXPECT_LE(server_->SentBytes(), kSize + kKills * kMiB);
}

}  // namespace
}  // namespace tusfs_testing
