// rename(2): every kind onto every kind, with every flag, within and across directories.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

constexpr std::array kKinds = {"missing", "file",    "same file", "directory",
                               "full",    "symlink", "fifo"};

void Make(std::string const& kind, std::string const& path) {
  if (kind == "file") Put(path, "bytes of " + path);
  if (kind == "same file") ::link("twin", path.c_str());
  if (kind == "directory" || kind == "full") ::mkdir(path.c_str(), 0755);
  if (kind == "full") Put(path + "/inside", "");
  if (kind == "symlink") ::symlink("twin", path.c_str());
  if (kind == "fifo") ::mkfifo(path.c_str(), 0644);
}

void Clear(std::string const& path) {
  ::unlink((path + "/inside").c_str());
  if (::unlink(path.c_str()) != 0) ::rmdir(path.c_str());
}

void RenameEveryKind(Transcript& t, char const* from, char const* to) {
  Put("twin", "the same file");
  ::mkdir("a", 0755);
  ::mkdir("b", 0755);
  for (std::string const source : kKinds) {
    for (std::string const target : kKinds) {
      for (unsigned const flags :
           {0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_NOREPLACE | RENAME_EXCHANGE, 1 << 10}) {
        Make(source, from);
        Make(target, to);
        t.Say(source + " to " + target + " with flags " + std::to_string(flags));
        TRY(::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
        for (auto const* const path : {from, to, "a", "b", "twin"}) t.Look(path);
        Clear(from);
        Clear(to);
      }
    }
  }
}

TEST_F(PosixTest, RenameOfEveryKindToEveryKindInOneDirectory) {
  ExpectSame([](Transcript& t) { RenameEveryKind(t, "a/from", "a/to"); });
}

TEST_F(PosixTest, RenameOfEveryKindToEveryKindInAnotherDirectory) {
  ExpectSame([](Transcript& t) { RenameEveryKind(t, "a/from", "b/to"); });
}

TEST_F(PosixTest, ADirectoryDoesNotMoveIntoItself) {
  ExpectSame([](Transcript& t) {
    ::mkdir("top", 0755);
    ::mkdir("top/middle", 0755);
    ::mkdir("top/middle/low", 0755);
    Put("top/file", "content");
    for (unsigned const flags : {0, RENAME_EXCHANGE}) {
      for (auto const& [from, to] :
           {std::pair{"top", "top/new"}, std::pair{"top", "top/middle/new"},
            std::pair{"top", "top/middle"}, std::pair{"top", "top"}, std::pair{"top/middle", "top"},
            std::pair{"top/middle/low", "top"}, std::pair{"top/file", "top"},
            std::pair{"top/.", "other"}, std::pair{"top/..", "other"}, std::pair{".", "other"},
            std::pair{"top", "."}, std::pair{"top", ".."}, std::pair{"top/middle", "top/middle/."},
            std::pair{"", "other"}, std::pair{"top", ""}}) {
        t.Say(std::string(from) + " to " + to + " with flags " + std::to_string(flags));
        TRY(::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
      }
    }
    t.Say("trailing slashes");
    TRY(::rename("top/", "renamed"));
    TRY(::rename("renamed", "top/"));
    TRY(::rename("top/file/", "other"));
    TRY(::rename("top/file", "other/"));
    TRY(::rename("top", "top/file/"));
    for (auto const* const path : {"top", "top/middle", "top/middle/low", "top/file"}) t.Look(path);
  });
}

TEST_F(PosixTest, TheParentOfAMovedDirectoryIsItsNewOne) {
  ExpectSame([](Transcript& t) {
    ::mkdir("a", 0755);
    ::mkdir("a/moved", 0755);
    ::mkdir("b", 0755);
    TRY(::rename("a/moved", "b/moved"));
    struct stat up {};
    struct stat parent {};
    TRY(::stat("b/moved/..", &up));
    TRY(::stat("b", &parent));
    t.Fact("..", up.st_ino == parent.st_ino ? "is the new parent" : "is another");
    TRY(::rmdir("a"));
    TRY(::rmdir("b"));
    t.Say("a directory in which somebody is, moved");
    TRY(::chdir("b/moved"));
    TRY(::rename("../../b", "../../c"));
    TRY(::stat("../../c/moved", &up));
    TRY(::rmdir("../moved"));
    t.Say("a directory that is gone");
    TRY(::mkdir("below", 0755));
    TRY(::open("file", O_RDWR | O_CREAT, 0644));
    TRY(::symlink("target", "link"));
    TRY(::stat(".", &up));
    t.Look(".");
  });
}

TEST_F(PosixTest, WhiteoutsAreMadeOrRefused) {
  ExpectSame([](Transcript& t) {
    auto const* const from = "from";
    auto const* const to = "to";
    Put(from, "");
    TRY(::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_WHITEOUT));
  });
}

TEST_F(PosixTest, RenameNeedsTheRightToChangeBothDirectories) {
  ExpectSameForRoot([](Transcript& t) {
    for (mode_t const from_mode : {0777, 0755, 0333, 0666, 01777}) {
      for (mode_t const to_mode : {0777, 0755, 01777}) {
        ::mkdir("from", from_mode);
        ::mkdir("to", to_mode);
        ::chmod("from", from_mode);
        ::chmod("to", to_mode);
        for (uid_t const owner : {kUserId, kStrangerId}) {
          for (auto const* const name : {"file", "directory"}) {
            auto const from = std::string("from/") + name;
            auto const to = std::string("to/") + name;
            if (name[0] == 'f') {
              Put(from, "");
              Put(to, "");
            } else {
              ::mkdir(from.c_str(), 0755);
              ::mkdir(to.c_str(), 0755);
            }
            ::chown(from.c_str(), owner, owner);
            ::chown(to.c_str(), owner, owner);
            t.As(User(), [&] {
              t.Say(std::string(name) + " of " + std::to_string(owner) + " from mode " +
                    Octal(from_mode) + " to mode " + Octal(to_mode));
              TRY(::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE));
              TRY(::rename(from.c_str(), to.c_str()));
              TRY(::rename(to.c_str(), from.c_str()));
            });
            Clear(from);
            Clear(to);
          }
        }
        ::rmdir("from");
        ::rmdir("to");
      }
    }
  });
}

TEST_F(PosixTest, InAStickyDirectoryOnlyOwnersTakeNamesAway) {
  ExpectSameForRoot([](Transcript& t) {
    for (uid_t const owner_of_directory : {uid_t{0}, kUserId, kStrangerId}) {
      for (uid_t const owner : {uid_t{0}, kUserId, kStrangerId}) {
        ::mkdir("sticky", 0755);
        ::chown("sticky", owner_of_directory, 0);
        ::chmod("sticky", 01777);
        for (auto const* const name : {"sticky/file", "sticky/other"}) {
          Put(name, "");
          ::chown(name, owner, owner);
        }
        ::mkdir("sticky/directory", 0755);
        ::chown("sticky/directory", owner, owner);
        t.As(User(), [&] {
          t.Say("directory of " + std::to_string(owner_of_directory) + ", file of " +
                std::to_string(owner));
          Put("sticky/mine", "");
          TRY(::rename("sticky/mine", "sticky/other"));
          TRY(::rename("sticky/file", "sticky/renamed"));
          TRY(::rename("sticky/renamed", "sticky/file"));
          TRY(::unlink("sticky/file"));
          TRY(::rmdir("sticky/directory"));
          TRY(::unlink("sticky/mine"));
        });
        for (auto const* const name : {"file", "other", "mine", "renamed", "directory"}) {
          Clear(std::string("sticky/") + name);
        }
        ::rmdir("sticky");
      }
    }
  });
}

}  // namespace
}  // namespace tusfs_testing
