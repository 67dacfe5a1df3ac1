// Timestamps: what each call moves, what utimensat sets and who may, and when a read counts.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

TEST_F(PosixTest, EachCallMovesTheTimesOfWhatItChanges) {
  ExpectSame([](Transcript& t) {
    ::mkdir("d", 0755);
    ::mkdir("e", 0755);
    Put("d/f", "content");
    int fd = -1;
    char byte = 0;
    struct stat status {};
    t.Effect({"d"}, [&] { fd = TRY_OPEN(::open("d/new", O_RDWR | O_CREAT | O_CLOEXEC, 0644)); });
    t.Effect({"d", "d/new"}, [&] { TRY(::write(fd, "some", 4)); });
    t.Effect({"d/new"}, [&] { TRY(::pwrite(fd, "", 0, 0)); });
    t.Effect({"d/new"}, [&] { TRY(::pread(fd, &byte, 1, 0)); });
    t.Effect({"d/new"}, [&] { TRY(::fstat(fd, &status)); });
    t.Effect({"d/new"}, [&] { TRY(::fsync(fd)); });
    t.Effect({"d/new"}, [&] { TRY(::ftruncate(fd, 4)); });
    t.Effect({"d/new"}, [&] { TRY(::ftruncate(fd, 2)); });
    t.Effect({"d/new"}, [&] { TRY(::ftruncate(fd, 9)); });
    t.Effect({"d/new"}, [&] { TRY(::fchmod(fd, 0600)); });
    t.Effect({"d/new"}, [&] { TRY(::close(fd)); });
    t.Effect({"d/f"}, [&] { TRY(::truncate("d/f", 7)); });
    t.Effect({"d/f"}, [&] { TRY(::truncate("d/f", 0)); });
    t.Effect({"d/f"}, [&] { TRY(::truncate("d/f", 0)); });
    t.Effect({"d", "d/f"}, [&] { TRY(::chmod("d/f", 0644)); });
    t.Effect({"d/f"}, [&] { TRY(::chmod("d/f", 0644)); });
    t.Effect({"d/f"}, [&] { TRY(::chown("d/f", -1, -1)); });
    t.Effect({"d/f"}, [&] { TRY(::chown("d/f", ::getuid(), ::getgid())); });
    t.Effect({"d", "d/f"}, [&] { fd = TRY_OPEN(::open("d/f", O_WRONLY | O_TRUNC | O_CLOEXEC)); });
    t.Effect({"d/f"}, [&] { TRY(::write(fd, "first", 5)); });
    t.Effect({"d/f"}, [&] { TRY(::write(fd, "second", 6)); });
    t.Effect({"d/f"}, [&] { TRY(::close(fd)); });
    t.Effect({"d/f"}, [&] { fd = TRY_OPEN(::open("d/f", O_WRONLY | O_TRUNC | O_CLOEXEC)); });
    t.Effect({"d/f"}, [&] { TRY(::close(fd)); });
    t.Effect({"d/f"}, [&] { fd = TRY_OPEN(::open("d/f", O_WRONLY | O_TRUNC | O_CLOEXEC)); });
    t.Effect({"d/f"}, [&] { TRY(::close(fd)); });
  });
}

TEST_F(PosixTest, EachCallMovesTheTimesOfTheDirectoriesItChanges) {
  ExpectSame([](Transcript& t) {
    ::mkdir("d", 0755);
    ::mkdir("e", 0755);
    Put("d/f", "content");
    t.Effect({"d"}, [&] { TRY(::mkdir("d/sub", 0755)); });
    t.Effect({"d"}, [&] { TRY(::mkdir("d/sub", 0755)); });
    t.Effect({"d", "d/sub"}, [&] { TRY(::mknod("d/sub/node", S_IFREG | 0644, 0)); });
    t.Effect({"d", "d/sub"}, [&] { TRY(::rmdir("d/sub")); });
    t.Effect({"d/sub"}, [&] { TRY(::unlink("d/sub/node")); });
    t.Effect({"d"}, [&] { TRY(::symlink("f", "d/s")); });
    t.Effect({"d", "d/f"}, [&] { TRY(::link("d/f", "d/l")); });
    t.Effect({"d", "d/f"}, [&] { TRY(::link("d/f", "d/l")); });
    t.Effect({"d", "d/f"}, [&] { TRY(::unlink("d/l")); });
    t.Effect({"d", "d/f"}, [&] { TRY(::rename("d/f", "d/g")); });
    t.Effect({"d", "e", "e/f"}, [&] { TRY(::rename("d/g", "e/f")); });
    t.Effect({"e", "e/f"}, [&] { TRY(::rename("e/f", "e/f")); });
    t.Effect({"d", "e", "d/sub"}, [&] { TRY(::rename("d/sub", "e/sub")); });
    Put("d/one", "");
    Put("e/two", "");
    t.Effect({"d", "e", "d/one", "e/two"},
             [&] { TRY(::renameat2(AT_FDCWD, "d/one", AT_FDCWD, "e/two", RENAME_EXCHANGE)); });
    ::link("e/two", "e/kept");
    t.Effect({"d", "e", "e/kept"}, [&] { TRY(::rename("d/one", "e/two")); });
    t.Effect({"d", "d/s"}, [&] { TRY(::lchown("d/s", -1, -1)); });
    t.Effect({"d"}, [&] { TRY(::mkfifo("d/fifo", 0644)); });
    t.Effect({"d"}, [&] { TRY(::rmdir("d/missing")); });
    t.Effect({"e"}, [&] { TRY(::rmdir("e/sub")); });
  });
}

TEST_F(PosixTest, UtimensatSetsWhatItIsTold) {
  struct Setting {
    char const* text;
    timespec accessed;
    timespec modified;
  };
  static constexpr Setting kSettings[] = {
      {"nanoseconds", {1'600'000'000, 123'456'789}, {1'500'000'000, 987'654'321}},
      {"the epoch", {0, 0}, {0, 1}},
      {"before 1970", {-1, 500'000'000}, {-86'400, 999'999'999}},
      {"past 2038", {4'000'000'000, 1}, {6'000'000'000, 2}},
      {"omit both", {0, UTIME_OMIT}, {0, UTIME_OMIT}},
      {"omit the first", {0, UTIME_OMIT}, {1'400'000'000, 5}},
      {"omit the second", {1'400'000'000, 6}, {0, UTIME_OMIT}},
      {"not a time", {0, 1'000'000'000}, {0, 0}},
      {"negative nanoseconds", {0, 0}, {0, -1}}};
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    ::symlink("file", "link");
    ::mkfifo("fifo", 0644);
    int const fd = ::open("file", O_RDWR | O_CLOEXEC);
    auto const show = [&](std::string const& path) {
      struct stat status {};
      ::lstat(path.c_str(), &status);
      t.Fact("atime and mtime of " + path, std::to_string(status.st_atim.tv_sec) + "." +
                                               std::to_string(status.st_atim.tv_nsec) + " " +
                                               std::to_string(status.st_mtim.tv_sec) + "." +
                                               std::to_string(status.st_mtim.tv_nsec));
    };
    for (auto const* const path : {"file", "directory", "link", "fifo"}) {
      for (auto const& setting : kSettings) {
        timespec const times[2] = {setting.accessed, setting.modified};
        t.Say(std::string(path) + ": " + setting.text);
        t.Effect({path}, [&] { TRY(::utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW)); });
        show(path);
      }
    }
    timespec const times[2] = {{1, 2}, {3, 4}};
    TRY(::futimens(fd, times));
    show("file");
    TRY(::write(fd, "x", 1));
    TRY(::futimens(fd, times));
    TRY(::close(fd));
    t.Say("closed after it was written and set");
    show("file");
    TRY(::utimensat(AT_FDCWD, "link", times, 0));
    show("file");
    for (auto const& [accessed, modified] : {std::pair<long, long>{UTIME_NOW, UTIME_NOW},
                                             {UTIME_NOW, UTIME_OMIT},
                                             {UTIME_OMIT, UTIME_NOW}}) {
      timespec const now[2] = {{0, accessed}, {0, modified}};
      ::utimensat(AT_FDCWD, "file", times, 0);
      t.Say("now " + std::to_string(accessed) + " " + std::to_string(modified));
      t.EffectOnAccess(
          "file", [&] { t.Effect({"file"}, [&] { TRY(::utimensat(AT_FDCWD, "file", now, 0)); }); });
    }
    t.Effect({"file"}, [&] { TRY(::utimensat(AT_FDCWD, "file", nullptr, 0)); });
    TRY(::utimensat(AT_FDCWD, "missing", nullptr, 0));
  });
}

TEST_F(PosixTest, TimesAreSetByOwnersAndNowByThoseWhoMayWrite) {
  ExpectSameForRoot([](Transcript& t) {
    static constexpr timespec kNow[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    static constexpr timespec kOmitOne[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    static constexpr timespec kOmitBoth[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    static constexpr timespec kSet[2] = {{1, 0}, {2, 0}};
    for (uid_t const owner : {kUserId, kStrangerId}) {
      for (mode_t const mode : {0666, 0644, 0444, 0}) {
        Put("file", "content");
        ::chown("file", owner, owner);
        ::chmod("file", mode);
        t.As(User(), [&] {
          t.Say("file of " + std::to_string(owner) + ", mode " + Octal(mode));
          TRY(::utimensat(AT_FDCWD, "file", nullptr, 0));
          TRY(::utimensat(AT_FDCWD, "file", kNow, 0));
          TRY(::utimensat(AT_FDCWD, "file", kOmitOne, 0));
          TRY(::utimensat(AT_FDCWD, "file", kOmitBoth, 0));
          TRY(::utimensat(AT_FDCWD, "file", kSet, 0));
        });
        ::unlink("file");
      }
    }
  });
}

void ReadDirectory(char const* path) {
  DIR* const directory = ::opendir(path);
  while (::readdir(directory) != nullptr) continue;
  ::closedir(directory);
}

TEST_F(PosixTest, AReadCountsAsWithRelatime) {
  struct statvfs about {};
  ASSERT_EQ(::statvfs(local_.c_str(), &about), 0);
  if ((about.f_flag & ST_NOATIME) != 0 || (about.f_flag & ST_RELATIME) == 0) {
    GTEST_SKIP() << "SKIPPED: " << local_ << " is not mounted with relatime";
  }
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    ::mkdir("directory/entry", 0755);
    ::symlink("file", "link");
    auto const age = [](char const* path, long accessed, long modified) {
      timespec now{};
      ::clock_gettime(CLOCK_REALTIME, &now);
      timespec const times[2] = {{now.tv_sec - accessed, 0}, {now.tv_sec - modified, 0}};
      ::utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
    };
    auto const read = [&](int flags) {
      int const fd = TRY_OPEN(::open("file", flags | O_CLOEXEC));
      char byte = 0;
      TRY(::read(fd, &byte, 1));
      ::close(fd);
    };
    // Setting times moves ctime, so that whatever was set lies before it, and the first read
    // counts.
    t.Say("read after a change");
    age("file", 100, 200);
    t.EffectOnAccess("file", [&] { read(O_RDONLY); });
    t.EffectOnAccess("file", [&] { read(O_RDONLY); });
    t.Say("accessed later than anything else");
    age("file", -1000, 200);
    t.EffectOnAccess("file", [&] { read(O_RDONLY); });
    t.Say("a day ago");
    age("file", 90'000, 200'000);
    t.EffectOnAccess("file", [&] { read(O_RDWR); });
    t.Say("with O_NOATIME");
    age("file", 100, 50);
    t.EffectOnAccess("file", [&] { read(O_RDONLY | O_NOATIME); });
    t.Say("a write in between");
    read(O_RDONLY);
    WaitForTick();
    int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
    t.EffectOnAccess("file", [&] { TRY(::write(fd, "C", 1)); });
    ::close(fd);
    t.EffectOnAccess("file", [&] { read(O_RDONLY); });
    t.Say("reading nothing");
    age("file", 100, 50);
    t.EffectOnAccess("file", [&] { ::close(TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC))); });
    t.Say("a directory");
    age("directory", 100, 50);
    t.EffectOnAccess("directory", [&] { TRY(::access("directory/entry", F_OK)); });
    t.EffectOnAccess("directory", [&] { ReadDirectory("directory"); });
    t.EffectOnAccess("directory", [&] { ReadDirectory("directory"); });
    t.Say("a symlink");
    age("link", 100, 50);
    t.EffectOnAccess("link", [&] {
      char target[16];
      TRY(::readlink("link", target, sizeof target));
    });
  });
}

}  // namespace
}  // namespace tusfs_testing
