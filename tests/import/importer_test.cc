// What lies beneath a mount, here two directories of one disk: nothing of it is lost, whatever
// moment the importer dies at.
#include "import/importer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "import/copy_file.h"
#include "import/marks.h"
#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tusfs_testing::RandomBytes;
using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WaitFor;
using tusfs_testing::WriteFile;

UniqueFd OpenDirectory(fs::path const& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

struct stat StatusOf(fs::path const& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

class ImporterTest : public testing::Test {
 protected:
  ImporterTest() {
    fs::create_directory(beneath_);
    fs::create_directory(mount_);
    beneath_fd_ = OpenDirectory(beneath_);
    mount_fd_ = OpenDirectory(mount_);
  }

  Importer Make() {
    return Importer(beneath_fd_.get(), mount_fd_.get(), std::make_shared<Log>(nullptr));
  }
  ImportSummary Import() {
    auto importer = Make();
    EXPECT_TRUE(importer.Pass());
    return importer.summary();
  }

  static std::set<std::string> NamesIn(fs::path const& directory) {
    std::set<std::string> names;
    for (auto const& entry : fs::recursive_directory_iterator(directory)) {
      names.insert(entry.path().lexically_relative(directory));
    }
    return names;
  }

  TempDir const dir_;
  fs::path const beneath_ = dir_ / "beneath";
  fs::path const mount_ = dir_ / "mount";
  UniqueFd beneath_fd_;
  UniqueFd mount_fd_;
};

TEST_F(ImporterTest, TakesInATreeWithItsAttributes) {
  auto const bytes = RandomBytes(3'000'000);
  fs::create_directories(beneath_ / "card/clips");
  WriteFile(beneath_ / "card/clips/one\n.mov", bytes);
  WriteFile(beneath_ / "empty", "");
  fs::create_symlink("card/clips", beneath_ / "link");
  auto const clip = beneath_ / "card/clips/one\n.mov";
  ASSERT_EQ(::setxattr(clip.c_str(), "user.reel", "7", 1, 0), 0);
  ASSERT_EQ(::chmod(clip.c_str(), 0440), 0);
  timespec const times[2] = {{1'000'000'000, 5}, {1'100'000'000, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, clip.c_str(), times, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, (beneath_ / "card").c_str(), times, 0), 0);

  auto const summary = Import();

  EXPECT_EQ(summary.files, 3u);
  EXPECT_EQ(summary.bytes, bytes.size());
  EXPECT_THAT(NamesIn(beneath_), IsEmpty());
  EXPECT_THAT(NamesIn(mount_),
              ElementsAre("card", "card/clips", "card/clips/one\n.mov", "empty", "link"));
  auto const taken = mount_ / "card/clips/one\n.mov";
  EXPECT_EQ(ReadFile(taken), bytes);
  EXPECT_EQ(StatusOf(taken).st_mode & 07777, 0440u);
  EXPECT_EQ(StatusOf(taken).st_mtim.tv_sec, 1'100'000'000);
  EXPECT_EQ(StatusOf(taken).st_mtim.tv_nsec, 123'456'789);
  EXPECT_EQ(StatusOf(mount_ / "card").st_mtim.tv_sec, 1'100'000'000);
  char value = 0;
  EXPECT_EQ(::getxattr(taken.c_str(), "user.reel", &value, 1), 1);
  EXPECT_EQ(fs::read_symlink(mount_ / "link"), "card/clips");
  EXPECT_LT(::getxattr((mount_ / "card").c_str(), kImportMark, nullptr, 0), 0);
}

TEST_F(ImporterTest, ANameThatTheMountHasIsNotReplaced) {
  WriteFile(beneath_ / "clip.mov", "from beneath");
  WriteFile(mount_ / "clip.mov", "in the mount");
  fs::create_directory(beneath_ / "file");
  WriteFile(beneath_ / "file/in", "x");
  WriteFile(mount_ / "file", "is a file here");

  Import();

  EXPECT_EQ(ReadFile(mount_ / "clip.mov"), "in the mount");
  EXPECT_EQ(ReadFile(mount_ / "clip.imported-1.mov"), "from beneath");
  EXPECT_EQ(ReadFile(mount_ / "file"), "is a file here");
  EXPECT_EQ(ReadFile(mount_ / "file.imported-1/in"), "x");
  EXPECT_THAT(NamesIn(beneath_), IsEmpty());
}

TEST_F(ImporterTest, ADirectoryThatTheMountHasGetsWhatIsInIt) {
  fs::create_directory(beneath_ / "card");
  fs::create_directory(mount_ / "card");
  WriteFile(beneath_ / "card/new", "x");
  WriteFile(mount_ / "card/old", "y");
  Import();
  EXPECT_THAT(NamesIn(mount_), ElementsAre("card", "card/new", "card/old"));
}

TEST_F(ImporterTest, EachNameOfAFileBecomesAFileOfItsOwn) {
  WriteFile(beneath_ / "one", "bytes");
  fs::create_hard_link(beneath_ / "one", beneath_ / "two");
  EXPECT_EQ(Import().files, 2u);
  EXPECT_EQ(ReadFile(mount_ / "one") + ReadFile(mount_ / "two"), "bytesbytes");
}

TEST_F(ImporterTest, WhatIsNoFileIsLeftAndToldOf) {
  ASSERT_EQ(::mkfifo((beneath_ / "pipe").c_str(), 0600), 0);
  WriteFile(beneath_ / "clip", "bytes");
  auto const summary = Import();
  EXPECT_EQ(summary.left, 1u);
  EXPECT_EQ(summary.files, 1u);
  EXPECT_THAT(NamesIn(beneath_), ElementsAre("pipe"));
  EXPECT_THAT(Describe(summary), HasSubstr("1 file (5 B) taken in, 1 is left beneath the mount: "
                                           "'pipe' it is no file"));
}

TEST_F(ImporterTest, AMountThatLiesInItIsLeft) {
  auto const inner = beneath_ / "disk";
  fs::create_directory(inner);
  if (::mount("none", inner.c_str(), "tmpfs", 0, "") != 0) GTEST_SKIP() << "SKIPPED: no tmpfs";
  WriteFile(inner / "clip", "bytes");
  auto const summary = Import();
  EXPECT_EQ(ReadFile(inner / "clip"), "bytes");
  EXPECT_EQ(::umount(inner.c_str()), 0);
  EXPECT_EQ(summary.left, 1u);
  EXPECT_THAT(summary.why, HasSubstr("something is mounted there"));
  EXPECT_THAT(NamesIn(mount_), IsEmpty());
}

TEST_F(ImporterTest, AFileThatIsWrittenToWaitsUntilItIsClosed) {
  std::ofstream writer(beneath_ / "growing");
  writer << "first" << std::flush;
  auto const first = Import();
  EXPECT_EQ(first.waiting, 1u);
  EXPECT_EQ(first.files, 0u);
  EXPECT_THAT(NamesIn(mount_), IsEmpty());

  auto importer = Make();
  std::thread importing([&] { EXPECT_TRUE(importer.Run(std::chrono::hours(1))); });
  writer << " and last";
  writer.close();
  EXPECT_TRUE(WaitFor([&] { return !fs::exists(beneath_ / "growing"); }));
  importing.join();

  EXPECT_EQ(ReadFile(mount_ / "growing"), "first and last");
  EXPECT_EQ(importer.summary().waiting, 0u);
}

TEST_F(ImporterTest, WhoeverWantsToWriteToAnOriginalIsSeen) {
  ::signal(SIGIO, SIG_IGN);
  WriteFile(beneath_ / "clip", "bytes");
  auto const original = Original::Open(beneath_fd_.get(), "clip");
  ASSERT_TRUE(original) << original.error().context;
  EXPECT_TRUE(original->CheckUnchanged());
  UniqueFd const writer(::open((beneath_ / "clip").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_FALSE(writer);
  auto const copied = CopyFile(*original, mount_fd_.get(), "copy");
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, EBUSY);
  EXPECT_THAT(NamesIn(mount_), IsEmpty());
}

TEST_F(ImporterTest, AnOriginalThatIsReplacedMeanwhileIsNotRemoved) {
  WriteFile(beneath_ / "clip", "bytes");
  auto const original = Original::Open(beneath_fd_.get(), "clip");
  ASSERT_TRUE(original);
  WriteFile(beneath_ / "other", "others");
  fs::rename(beneath_ / "other", beneath_ / "clip");
  ASSERT_FALSE(original->CheckUnchanged());
}

TEST_F(ImporterTest, ACopyThatIsThereAlreadyIsNotMadeAgain) {
  WriteFile(beneath_ / "clip", "bytes");
  {
    auto const original = Original::Open(beneath_fd_.get(), "clip");
    ASSERT_TRUE(original);
    ASSERT_TRUE(CopyFile(*original, mount_fd_.get(), "clip"));  // and the importer was killed
  }
  Import();
  EXPECT_THAT(NamesIn(beneath_), IsEmpty());
  EXPECT_THAT(NamesIn(mount_), ElementsAre("clip"));
  EXPECT_FALSE(IsMarked(mount_fd_.get(), "clip"));
}

TEST_F(ImporterTest, WhatACutOffImportHasLeftIsMadeAnew) {
  WriteFile(beneath_ / "clip", "bytes");
  WriteFile(mount_ / ".clip.tusfs-import", "by");
  UniqueFd const cut(::open((mount_ / ".clip.tusfs-import").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(SetMark(cut.get(), kCopying));
  Import();
  EXPECT_THAT(NamesIn(mount_), ElementsAre("clip"));
  EXPECT_EQ(ReadFile(mount_ / "clip"), "bytes");
}

TEST_F(ImporterTest, SomebodyElsesFileIsNotTakenForALeftover) {
  WriteFile(beneath_ / "clip", "bytes");
  WriteFile(mount_ / ".clip.tusfs-import", "somebody's");
  auto const summary = Import();
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_THAT(summary.why, HasSubstr("'.clip.tusfs-import' is in the way"));
  EXPECT_EQ(ReadFile(mount_ / ".clip.tusfs-import"), "somebody's");
  EXPECT_EQ(ReadFile(beneath_ / "clip"), "bytes");
}

TEST_F(ImporterTest, AFileThatTheMountCannotTakeIsNotBegunAndIsTriedAgain) {
  WriteFile(beneath_ / "huge", "12345");
  WriteFile(beneath_ / "small", "1234");
  std::uint64_t largest = 4;
  Importer importer(
      beneath_fd_.get(), mount_fd_.get(), std::make_shared<Log>(nullptr),
      [&](ImportSummary const& summary) {
        EXPECT_EQ(summary.failed, largest == 4 ? 1u : 0u) << summary.why;
      },
      [&] { return largest; });
  ASSERT_TRUE(importer.Pass());
  EXPECT_THAT(NamesIn(mount_), ElementsAre("small"));
  EXPECT_THAT(importer.summary().why, HasSubstr("'huge' it has 5 B, and the spool takes less"));
  // A copy that is begun and given up leaves a trace: the directory's time.
  auto const before = StatusOf(mount_);
  ASSERT_TRUE(importer.Pass());
  auto const after = StatusOf(mount_);
  EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  largest = 5;
  ASSERT_TRUE(importer.Pass());
  EXPECT_THAT(NamesIn(mount_), ElementsAre("huge", "small"));
}

TEST_F(ImporterTest, OneDirectoryIsNotTakenIntoItself) {
  Importer importer(beneath_fd_.get(), beneath_fd_.get(), std::make_shared<Log>(nullptr));
  EXPECT_FALSE(importer.Pass());
}

TEST_F(ImporterTest, KilledAtAnyMomentItLosesNothingAndDoublesNothing) {
  std::map<std::string, std::string> all;
  std::set<std::string> on_the_way;
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    for (int at = 0; at < 6; ++at) {
      auto const name = "f" + std::to_string(round) + "-" + std::to_string(at);
      all[name] = RandomBytes(random() % 2'000'000, random());
      WriteFile(beneath_ / name, all[name]);
      on_the_way.insert(name);
    }
    auto const child = ::fork();
    if (child == 0) {
      Importer importer(beneath_fd_.get(), mount_fd_.get(), std::make_shared<Log>(nullptr));
      ::_exit(importer.Pass() ? 0 : 1);
    }
    // The moment is what is chosen here, so nothing is waited for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (auto const& name : std::set<std::string>(on_the_way)) {
      bool const is_here = fs::exists(beneath_ / name) && ReadFile(beneath_ / name) == all[name];
      bool const is_taken = fs::exists(mount_ / name) && ReadFile(mount_ / name) == all[name];
      ASSERT_TRUE(is_here || is_taken) << name << " in round " << round;
      if (!is_here) on_the_way.erase(name);
    }
  }
  Import();
  EXPECT_THAT(NamesIn(beneath_), IsEmpty());
  std::set<std::string> names;
  for (auto const& [name, bytes] : all) {
    names.insert(name);
    EXPECT_EQ(ReadFile(mount_ / name), bytes) << name;
  }
  EXPECT_EQ(NamesIn(mount_), names);
}

}  // namespace
}  // namespace tusfs
