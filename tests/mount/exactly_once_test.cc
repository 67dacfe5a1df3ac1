// A daemon that dies at each step of each call: the caller sees success, and the call has happened
// once.
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

// A daemon that served for less than this is restarted with pauses, if that happens often.
constexpr std::chrono::milliseconds kQuietTime{300};

struct Call {
  std::string name;
  std::uint32_t opcode;
  std::vector<std::string> moments;
  /// Before the daemon is doomed, with a path in the mount that this row alone uses.
  std::function<void(fs::path const&)> prepare;
  /// Returns 0 or an errno.
  std::function<int(fs::path const&)> make;
  std::function<void(fs::path const&)> verify;
};

int ErrnoOf(int result) { return result < 0 ? errno : 0; }

fs::path Other(fs::path const& path) { return path.string() + "-other"; }

ino_t InodeOf(fs::path const& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

nlink_t LinksOf(fs::path const& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_nlink : 0;
}

std::size_t EntriesNamed(fs::path const& path) {
  std::size_t found = 0;
  for (auto const& entry : fs::directory_iterator(path.parent_path())) {
    if (entry.path().filename() == path.filename()) ++found;
  }
  return found;
}

class ExactlyOnceTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url());
    mount_->SetProgram(KillableTusfsProgram());
    mount_->SetEnvironment({"TUSFS_KILL_FILE=" + KillFile().string()});
    ASSERT_EQ(mount_->Mount(), "");
  }
  void TearDown() override {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] fs::path KillFile() const { return dir_ / "kill"; }

  // Makes the call while a daemon dies at `moment` of it.
  void Try(Call const& call, std::string const& moment) {
    SCOPED_TRACE(call.name + ", killed at " + moment);
    auto const path = *mount_ / (call.name + "-" + moment);
    if (call.prepare) call.prepare(path);
    ASSERT_TRUE(WaitFor([&] { return steady_clock::now() > last_death_ + kQuietTime; }));
    WriteFile(dir_ / "kill.new", std::to_string(call.opcode) + " " + moment);
    fs::rename(dir_ / "kill.new", KillFile());
    auto const start = steady_clock::now();
    int const error = call.make(path);
    // What the kernel sends without waiting (RELEASE) kills a little later.
    bool const died = WaitFor([&] { return !fs::exists(KillFile()); }, std::chrono::seconds(5));
    auto const took =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start);
    last_death_ = steady_clock::now();
    EXPECT_TRUE(died) << "nobody came to that moment";
    fs::remove(KillFile());
    EXPECT_EQ(error, 0) << std::generic_category().message(error);
    if (call.verify) call.verify(path);
    std::printf("%-12s killed at %-10s %s  %4lld ms\n", call.name.c_str(), moment.c_str(),
                error == 0 ? "success" : "ERROR  ", static_cast<long long>(took.count()));
  }

  std::unique_ptr<MountedTusfs> mount_;
  steady_clock::time_point last_death_ = steady_clock::now();
  int fd_ = -1;
};

std::vector<std::string> const kJournaled{"received", "decided",  "journaled",
                                          "executed", "replying", "replied"};
std::vector<std::string> const kPlain{"received", "executed", "replying", "replied"};

TEST_F(ExactlyOnceTest, CallsThatChangeNames) {
  auto const file = [](fs::path const& path) { WriteFile(path, "body"); };
  std::vector<Call> const calls{
      {"mkdir", FUSE_MKDIR, kJournaled, nullptr,
       [](fs::path const& path) { return ErrnoOf(::mkdir(path.c_str(), 0755)); },
       [](fs::path const& path) {
         EXPECT_EQ(EntriesNamed(path), 1U);
         EXPECT_EQ(LinksOf(path), 2U);
       }},
      {"symlink", FUSE_SYMLINK, kJournaled, nullptr,
       [](fs::path const& path) { return ErrnoOf(::symlink("target", path.c_str())); },
       [](fs::path const& path) { EXPECT_EQ(fs::read_symlink(path), "target"); }},
      {"link", FUSE_LINK, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::link(path.c_str(), Other(path).c_str())); },
       [](fs::path const& path) {
         EXPECT_EQ(LinksOf(path), 2U);
         EXPECT_EQ(InodeOf(path), InodeOf(Other(path)));
       }},
      {"unlink", FUSE_UNLINK, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::unlink(path.c_str())); },
       [](fs::path const& path) { EXPECT_EQ(EntriesNamed(path), 0U); }},
      {"rmdir", FUSE_RMDIR, kJournaled, [](fs::path const& path) { fs::create_directory(path); },
       [](fs::path const& path) { return ErrnoOf(::rmdir(path.c_str())); },
       [](fs::path const& path) { EXPECT_EQ(EntriesNamed(path), 0U); }},
      {"rename", FUSE_RENAME, kJournaled,
       [](fs::path const& path) {
         WriteFile(path, "new");
         WriteFile(Other(path), "old");
       },
       [](fs::path const& path) { return ErrnoOf(::rename(path.c_str(), Other(path).c_str())); },
       [](fs::path const& path) {
         EXPECT_EQ(EntriesNamed(path), 0U);
         EXPECT_EQ(EntriesNamed(Other(path)), 1U);
         EXPECT_EQ(ReadFile(Other(path)), "new");
       }},
      {"noreplace", FUSE_RENAME2, kJournaled, file,
       [](fs::path const& path) {
         return ErrnoOf(
             ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, Other(path).c_str(), RENAME_NOREPLACE));
       },
       [](fs::path const& path) { EXPECT_EQ(ReadFile(Other(path)), "body"); }},
  };
  for (auto const& call : calls) {
    for (auto const& moment : call.moments) Try(call, moment);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(ExactlyOnceTest, CallsThatOpenWriteAndClose) {
  auto const file = [](fs::path const& path) { WriteFile(path, "body"); };
  auto const open = [this](fs::path const& path, int flags) {
    fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    return ErrnoOf(fd_);
  };
  auto const close = [this] { return ErrnoOf(::close(std::exchange(fd_, -1))); };
  auto const write_more = [this](std::string const& bytes) {
    return ErrnoOf(static_cast<int>(::write(fd_, bytes.data(), bytes.size())));
  };
  auto const close_and_expect = [&](std::string const& bytes) {
    return [&, bytes](fs::path const& path) {
      if (fd_ >= 0) {
        EXPECT_EQ(close(), 0);
      }
      EXPECT_EQ(ReadFile(path), bytes);
      EXPECT_TRUE(WaitFor([&] { return mount_->State(path.filename()) == "uploaded"; }))
          << mount_->Listed(path.filename());
    };
  };
  auto const open_and_write = [&](fs::path const& path) {
    ASSERT_EQ(open(path, O_WRONLY | O_CREAT), 0);
    ASSERT_EQ(write_more("one"), 0);
  };
  std::vector<Call> const calls{
      {"create", FUSE_CREATE, kJournaled, nullptr,
       [&](fs::path const& path) { return open(path, O_WRONLY | O_CREAT | O_EXCL); },
       [&](fs::path const& path) {
         EXPECT_EQ(EntriesNamed(path), 1U);
         EXPECT_EQ(write_more("bytes"), 0);
         close_and_expect("bytes")(path);
       }},
      {"open", FUSE_OPEN, kJournaled, file,
       [&](fs::path const& path) { return open(path, O_WRONLY | O_APPEND); },
       [&](fs::path const& path) {
         EXPECT_EQ(write_more("+"), 0);
         close_and_expect("body+")(path);
       }},
      {"open_trunc", FUSE_OPEN, kJournaled, file,
       [&](fs::path const& path) { return open(path, O_WRONLY | O_TRUNC); },
       [&](fs::path const& path) {
         EXPECT_EQ(write_more("new"), 0);
         close_and_expect("new")(path);
       }},
      {"write", FUSE_WRITE, kPlain, open_and_write,
       [&](fs::path const&) { return write_more("two"); }, close_and_expect("onetwo")},
      {"first_write", FUSE_WRITE, kJournaled,
       [&](fs::path const& path) { ASSERT_EQ(open(path, O_WRONLY | O_CREAT), 0); },
       [&](fs::path const&) { return write_more("first"); }, close_and_expect("first")},
      {"fsync", FUSE_FSYNC, kJournaled, open_and_write,
       [&](fs::path const&) { return ErrnoOf(::fsync(fd_)); }, close_and_expect("one")},
      {"flush", FUSE_FLUSH, kJournaled, open_and_write, [&](fs::path const&) { return close(); },
       close_and_expect("one")},
      {"release", FUSE_RELEASE, kJournaled, open_and_write,
       [&](fs::path const&) { return close(); }, close_and_expect("one")},
      {"chmod", FUSE_SETATTR, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::chmod(path.c_str(), 0600)); },
       [&](fs::path const& path) {
         EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
         close_and_expect("body")(path);
       }},
      {"shrink", FUSE_SETATTR, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::truncate(path.c_str(), 2)); },
       close_and_expect("bo")},
      {"empty", FUSE_SETATTR, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::truncate(path.c_str(), 0)); },
       close_and_expect("")},
      {"grow", FUSE_SETATTR, kJournaled, file,
       [](fs::path const& path) { return ErrnoOf(::truncate(path.c_str(), 6)); },
       close_and_expect(std::string("body\0\0", 6))},
  };
  for (auto const& call : calls) {
    for (auto const& moment : call.moments) Try(call, moment);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(ExactlyOnceTest, ARequestThatKillsEveryDaemonFailsAloneAtLast) {
  WriteFile(*mount_ / "before", "before");
  WriteFile(KillFile(), std::to_string(FUSE_MKDIR) + " received always");
  EXPECT_EQ(ErrnoOf(::mkdir((*mount_ / "poison").c_str(), 0755)), EIO);
  fs::remove(KillFile());

  EXPECT_EQ(ErrnoOf(::mkdir((*mount_ / "antidote").c_str(), 0755)), 0);
  EXPECT_EQ(ReadFile(*mount_ / "before"), "before");
  auto const status = mount_->Status();
  EXPECT_THAT(status.value("last_end", ""), ::testing::HasSubstr("signal 9")) << status;
  EXPECT_GE(mount_->Restarts(), 1);
  EXPECT_EQ(mount_->Unmount(), 0);
}

}  // namespace
}  // namespace tusfs_testing
