// open(2): what its flags do to every kind of target, and who may.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

struct Flags {
  char const* text;
  int value;
};

constexpr char const* kTargets[] = {"missing",      "file",     "directory",
                                    "link to file", "dangling", "link to directory",
                                    "loop",         "fifo"};

// One of each, under the names above, anew.
void MakeTargets() {
  for (auto const* const name : kTargets) {
    if (::unlink(name) != 0) ::rmdir(name);
  }
  ::unlink("nowhere");
  Put("file", "content");
  ::mkdir("directory", 0755);
  ::symlink("file", "link to file");
  ::symlink("nowhere", "dangling");
  ::symlink("directory", "link to directory");
  ::symlink("loop", "loop");
  ::mkfifo("fifo", 0644);
}

TEST_F(PosixTest, OpenFlagsMeanTheSameForEveryKindOfTarget) {
  static constexpr Flags kAccess[] = {
      {"O_RDONLY", O_RDONLY}, {"O_WRONLY", O_WRONLY}, {"O_RDWR", O_RDWR}};
  static constexpr Flags kMore[] = {{"0", 0},
                                    {"O_CREAT", O_CREAT},
                                    {"O_CREAT|O_EXCL", O_CREAT | O_EXCL},
                                    {"O_TRUNC", O_TRUNC},
                                    {"O_CREAT|O_TRUNC", O_CREAT | O_TRUNC},
                                    {"O_NOFOLLOW", O_NOFOLLOW},
                                    {"O_CREAT|O_NOFOLLOW", O_CREAT | O_NOFOLLOW},
                                    {"O_DIRECTORY", O_DIRECTORY},
                                    {"O_APPEND", O_APPEND},
                                    {"O_PATH", O_PATH},
                                    {"O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW}};
  ExpectSame([](Transcript& t) {
    for (auto const& access : kAccess) {
      for (auto const& more : kMore) {
        MakeTargets();
        for (std::string const target : kTargets) {
          t.Say(target + " with " + access.text + "|" + more.text);
          int const fd = TRY_OPEN(
              ::open(target.c_str(), access.value | more.value | O_NONBLOCK | O_CLOEXEC, 0640));
          if (fd >= 0) ::close(fd);
          t.Look(target);
        }
        t.Look("nowhere");
        t.Content("file");
      }
    }
  });
}

TEST_F(PosixTest, NamesThatOpenRefuses) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    for (std::string const& name :
         {std::string(), std::string("file/"), std::string("file/below"), std::string("missing/"),
          std::string("missing/below"), std::string("directory/"), std::string("directory/."),
          std::string("directory/../file"), std::string(255, 'n'), std::string(256, 'n'),
          std::string(4096, 'n')}) {
      for (int const flags : {O_RDONLY, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL}) {
        t.Say(name.substr(0, 30) + " of " + std::to_string(name.size()) + " bytes, flags " +
              std::to_string(flags));
        int const fd = TRY_OPEN(::open(name.c_str(), flags | O_CLOEXEC, 0644));
        if (fd >= 0) ::close(fd);
      }
      t.Look(name);
    }
    // The longest path, and one byte more.
    std::string path;
    while (path.size() < 4090) path += "./";
    t.Say("paths near PATH_MAX");
    TRY(::access((path + "file").c_str(), F_OK));
    TRY(::access((path + "./file").c_str(), F_OK));
  });
}

TEST_F(PosixTest, ANewFileGetsItsModeFromTheUmask) {
  ExpectSame([](Transcript& t) {
    for (mode_t const mask : {0, 022, 027, 077, 0777}) {
      for (mode_t const mode : {0, 0644, 0666, 0777, 04755, 02755, 01777}) {
        ::umask(mask);
        t.Say("umask " + Octal(mask) + " mode " + Octal(mode));
        int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        TRY(::write(fd, "x", 1));  // whatever the mode says
        t.LookAt(fd);
        ::close(fd);
        TRY(::mkdir("directory", mode));
        t.Look("directory");
        TRY(::mknod("node", S_IFREG | mode, 0));
        t.Look("node");
        TRY(::mkfifo("fifo", mode));
        t.Look("fifo");
        ::unlink("file");
        ::unlink("node");
        ::unlink("fifo");
        ::rmdir("directory");
      }
    }
  });
}

TEST_F(PosixTest, OpenAsksTheModeOfTheFile) {
  ExpectSame([](Transcript& t) {
    for (mode_t mode = 0; mode <= 0700; mode += 0100) {
      Put("file", "content", mode);
      for (int const flags : {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_TRUNC}) {
        t.Say("mode " + Octal(mode) + " flags " + std::to_string(flags));
        int const fd = TRY_OPEN(::open("file", flags | O_CLOEXEC));
        if (fd >= 0) ::close(fd);
      }
      t.Look("file");
      ::unlink("file");
    }
  });
}

TEST_F(PosixTest, OwnerGroupAndOthersAreToldApart) {
  ExpectSameForRoot([](Transcript& t) {
    for (auto const& [uid, gid] : {std::pair<uid_t, gid_t>{kUserId, 0},
                                   {kStrangerId, kSharedGroup},
                                   {kStrangerId, kUserId},
                                   {kStrangerId, kForeignGroup}}) {
      for (mode_t const mode : {0400, 0200, 0100, 0040, 0020, 0010, 0004, 0002, 0001, 0070, 0007}) {
        Put("file", "content");
        ::chown("file", uid, gid);
        ::chmod("file", mode);
        t.As(User(), [&] {
          t.Say("owner " + std::to_string(uid) + ":" + std::to_string(gid) + " mode " +
                Octal(mode));
          for (int const flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
            int const fd = TRY_OPEN(::open("file", flags | O_CLOEXEC));
            if (fd >= 0) ::close(fd);
          }
          for (int const wanted : {R_OK, W_OK, X_OK, R_OK | W_OK | X_OK}) {
            TRY(::access("file", wanted));
          }
          TRY(::truncate("file", 3));
        });
        ::unlink("file");
      }
    }
  });
}

TEST_F(PosixTest, EveryDirectoryOnTheWayHasToLetOneThrough) {
  ExpectSameForRoot([](Transcript& t) {
    ::mkdir("way", 0755);
    ::mkdir("way/on", 0777);
    Put("way/on/file", "content", 0666);
    for (mode_t const mode : {0755, 0700, 0711, 0744, 0733, 0766, 0}) {
      ::chmod("way", mode);
      t.As(User(), [&] {
        t.Say("through a directory of mode " + Octal(mode));
        struct stat status {};
        TRY(::stat("way/on/file", &status));
        TRY(::stat("way/on/missing", &status));
        TRY(::access("way/on", X_OK));
        int const fd = TRY_OPEN(::open("way/on/file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        if (fd >= 0) ::close(fd);
        TRY(::unlink("way/on/missing"));
        TRY(::mkdir("way/on/file", 0755));
        TRY(::chdir("way/on"));
        TRY(::chdir(".."));
        int const list = TRY_OPEN(::open("way", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (list >= 0) ::close(list);
      });
    }
  });
}

TEST_F(PosixTest, AFileWithoutANameIsRefusedCleanlyOrWorks) {
  ExpectSame([](Transcript& t) {
    int const fd = TRY_OPEN(::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
    if (fd >= 0) ::close(fd);
    // O_TMPFILE holds O_DIRECTORY; read-only it is refused before the filesystem is asked.
    TRY_OPEN(::open(".", O_TMPFILE | O_RDONLY | O_CLOEXEC, 0644));
  });
}

TEST_F(PosixTest, DirectIoReadsAndWritesWholeBlocks) {
  ExpectSame([](Transcript& t) {
    alignas(4096) static char block[8192];
    std::fill(std::begin(block), std::end(block), 'd');
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
    TRY(::pwrite(fd, block, sizeof block, 0));
    TRY(::pwrite(fd, block, 4096, 12288));
    TRY(::pread(fd, block, sizeof block, 8192));
    t.Bytes("read across a hole", std::string(block, sizeof block));
    TRY(::pread(fd, block, sizeof block, 16384));
    ::close(fd);
    t.Content("file");
  });
}

}  // namespace
}  // namespace tusfs_testing
