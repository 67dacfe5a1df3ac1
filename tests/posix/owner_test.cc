// Who may change what: chmod, chown, set-id bits, groups of new files.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

constexpr uid_t kSame = static_cast<uid_t>(-1);
constexpr mode_t kModes[] = {0644, 0755, 04755, 02755, 06755, 02644, 06644, 01777, 07777};

std::string NewOwner(uid_t uid, gid_t gid) {
  if (uid == kSame && gid == kSame) return "nobody new";
  return (uid == kSame ? "the same" : std::to_string(uid)) + ":" +
         (gid == kSame ? "the same" : std::to_string(gid));
}

TEST_F(PosixTest, ChmodSetsWhatItsCallerMaySet) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    ::mkfifo("fifo", 0644);
    ::symlink("file", "link");
    for (auto const* const path : {"file", "directory", "fifo", "link"}) {
      for (mode_t const mode : kModes) {
        t.Say(std::string(path) + " to mode " + Octal(mode));
        TRY(::chmod(path, mode));
        t.Look(path);
      }
    }
    t.Look("file");
    int const fd = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    TRY(::fchmod(fd, 0600));
    TRY(::unlink("file"));
    TRY(::fchmod(fd, 0640));
    t.LookAt(fd);
    TRY(::chmod("missing", 0644));
  });
}

TEST_F(PosixTest, OnlyOwnersChmodAndNotIntoForeignGroups) {
  ExpectSameForRoot([](Transcript& t) {
    for (auto const& [uid, gid] : {std::pair<uid_t, gid_t>{kUserId, kUserId},
                                   {kUserId, kSharedGroup},
                                   {kUserId, kForeignGroup},
                                   {kStrangerId, kUserId},
                                   {0, 0}}) {
      for (bool const is_directory : {false, true}) {
        auto const* const path = is_directory ? "directory" : "file";
        if (is_directory) {
          ::mkdir(path, 0755);
        } else {
          Put(path, "content");
        }
        ::chown(path, uid, gid);
        t.As(User(), [&] {
          for (mode_t const mode : {0600, 04755, 02755, 02640, 01755, 06755}) {
            t.Say(std::string(path) + " of " + std::to_string(uid) + ":" + std::to_string(gid) +
                  " to mode " + Octal(mode));
            TRY(::chmod(path, mode));
            t.Look(path);
          }
        });
        if (::unlink(path) != 0) ::rmdir(path);
      }
    }
  });
}

TEST_F(PosixTest, RootsChownTakesSetIdBitsOfFilesAway) {
  ExpectSameForRoot([](Transcript& t) {
    for (bool const is_directory : {false, true}) {
      auto const* const path = is_directory ? "directory" : "file";
      if (is_directory) {
        ::mkdir(path, 0755);
      } else {
        Put(path, "content");
      }
      for (auto const& [uid, gid] : {std::pair<uid_t, gid_t>{kSame, kSame},
                                     {kUserId, kSame},
                                     {kSame, kForeignGroup},
                                     {0, 0},
                                     {kStrangerId, kSharedGroup}}) {
        for (mode_t const mode : kModes) {
          ::chmod(path, mode);
          t.Say("chown to " + NewOwner(uid, gid) + ", " + path + " of mode " + Octal(mode));
          TRY(::chown(path, uid, gid));
          t.Look(path);
        }
      }
    }
    ::symlink("file", "link");
    ::symlink("missing", "dangling");
    TRY(::lchown("link", kUserId, kUserId));
    t.Look("link");
    t.Look("file");
    TRY(::chown("link", kStrangerId, kStrangerId));
    t.Look("link");
    t.Look("file");
    TRY(::chown("dangling", 0, 0));
    TRY(::lchown("dangling", kUserId, 0));
    t.Look("dangling");
  });
}

TEST_F(PosixTest, AnOwnerGivesAFileToGroupsOfHisOwn) {
  ExpectSameForRoot([](Transcript& t) {
    for (auto const& [uid, gid] : {std::pair<uid_t, gid_t>{kUserId, kUserId},
                                   {kUserId, kForeignGroup},
                                   {kStrangerId, kUserId}}) {
      for (auto const& [to_uid, to_gid] : {std::pair<uid_t, gid_t>{kSame, kSame},
                                           {kSame, kUserId},
                                           {kSame, kSharedGroup},
                                           {kSame, kForeignGroup},
                                           {kUserId, kSame},
                                           {kUserId, kUsersGroup},
                                           {kStrangerId, kSame},
                                           {0, 0}}) {
        for (mode_t const mode : {0644, 06755, 06644, 02755}) {
          Put("file", "content");
          ::chown("file", uid, gid);
          ::chmod("file", mode);
          t.As(User(), [&] {
            t.Say("chown to " + NewOwner(to_uid, to_gid) + " from " + NewOwner(uid, gid) +
                  ", mode " + Octal(mode));
            TRY(::chown("file", to_uid, to_gid));
            t.Look("file");
          });
          ::unlink("file");
        }
      }
    }
  });
}

// Who writes to a program makes another one of it.
TEST_F(PosixTest, AWriteByAnotherTakesSetIdBitsAway) {
  ExpectSameForRoot([](Transcript& t) {
    for (auto const* const who : {&User(), &Root()}) {
      for (mode_t const mode : {04777, 02777, 06777, 02767, 06767, 0777}) {
        auto const again = [&](std::string const& how) {
          Put("file", "content");
          ::chmod("file", mode);
          t.Say(how + " by " + std::string(who->name) + ", mode " + Octal(mode));
        };
        auto const after = [&](auto const& change) {
          t.As(*who, change);
          t.Look("file");
          ::unlink("file");
        };
        for (int const access : {O_WRONLY, O_RDWR}) {
          again("write, opened with " + std::to_string(access));
          after([&] {
            int const fd = TRY_OPEN(::open("file", access | O_CLOEXEC));
            t.LookAt(fd);
            TRY(::pwrite(fd, "x", 1, 0));
            t.LookAt(fd);
          });
        }
        again("append");
        after([&] {
          int const fd = TRY_OPEN(::open("file", O_WRONLY | O_APPEND | O_CLOEXEC));
          TRY(::write(fd, "more", 4));
        });
        again("truncate");
        after([&] { TRY(::truncate("file", 3)); });
        again("ftruncate to the size it has");
        after([&] {
          int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
          TRY(::ftruncate(fd, 7));
        });
        again("open with O_TRUNC");
        after([&] { TRY_OPEN(::open("file", O_WRONLY | O_TRUNC | O_CLOEXEC)); });
        again("fallocate");
        after([&] {
          int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
          TRY(::fallocate(fd, 0, 0, 4096));
        });
        again("a second write, after root has set the bits again");
        t.As(*who, [&] {
          int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
          TRY(::pwrite(fd, "x", 1, 0));
        });
        ::chmod("file", mode);
        after([&] {
          int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
          TRY(::pwrite(fd, "y", 1, 1));
        });
      }
    }
  });
}

TEST_F(PosixTest, NewFilesTakeTheGroupOfASetgidDirectory) {
  ExpectSameForRoot([](Transcript& t) {
    for (mode_t const mode : {0777, 02777, 03777}) {
      for (gid_t const gid : {gid_t{0}, kUserId, kSharedGroup, kForeignGroup}) {
        ::mkdir("parent", 0755);
        ::chown("parent", 0, gid);
        ::chmod("parent", mode);
        t.As(User(), [&] {
          t.Say("directory of group " + std::to_string(gid) + " and mode " + Octal(mode));
          ::umask(0);
          TRY_OPEN(::open("parent/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0664));
          TRY_OPEN(::open("parent/program", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 06775));
          TRY(::mknod("parent/node", S_IFREG | 02775, 0));
          TRY(::mkdir("parent/directory", 0775));
          TRY(::mkdir("parent/directory/deeper", 01775));
          TRY(::symlink("target", "parent/link"));
          TRY(::mkfifo("parent/fifo", 02664));
        });
        for (auto const* const name :
             {"parent/file", "parent/program", "parent/node", "parent/directory",
              "parent/directory/deeper", "parent/link", "parent/fifo"}) {
          t.Look(name);
        }
        std::filesystem::remove_all("parent");
      }
    }
  });
}

TEST_F(PosixTest, AccessAsksForTheRealUser) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    for (mode_t const mode : {0, 0100, 0200, 0400, 0111, 0222, 0444, 0755}) {
      for (auto const* const path : {"file", "directory", "missing"}) {
        ::chmod(path, mode);
        t.Say(std::string(path) + " of mode " + Octal(mode));
        for (int const wanted : {F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | W_OK | X_OK, 8}) {
          TRY(::access(path, wanted));
          TRY(::faccessat(AT_FDCWD, path, wanted, AT_EACCESS));
        }
      }
    }
    ::chmod("directory", 0755);
  });
}

TEST_F(PosixTest, WritingToAProgramThatRunsIsRefused) {
  ExpectSame([](Transcript& t) {
    std::filesystem::copy_file("/bin/sleep", "program");
    TRY(::chmod("program", 0755));
    TRY(::access("program", X_OK));
    int ends[2];
    ::pipe2(ends, O_CLOEXEC);
    pid_t const child = ::fork();
    if (child == 0) {
      ::execl("./program", "program", "100", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    char byte = 0;
    // The end comes when the program has been started, which closes the other end.
    TRY(::read(ends[0], &byte, 1));
    t.Say("the program that runs");
    TRY(::open("program", O_WRONLY));
    TRY(::truncate("program", 0));
    TRY(::unlink("program"));
    TRY(::kill(child, SIGKILL));
  });
}

TEST_F(PosixTest, AScriptRunsFromThere) {
  ExpectSame([](Transcript& t) {
    Put("script", "#!/bin/sh\nexit 7\n", 0755);
    TRY(::system("./script"));
    TRY(::chmod("script", 0644));
    TRY(::system("./script 2>/dev/null"));
  });
}

}  // namespace
}  // namespace tusfs_testing
