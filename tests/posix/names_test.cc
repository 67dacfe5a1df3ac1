// Names come and go: mkdir, rmdir, unlink, link, symlink, mknod.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

constexpr char const* kKinds[] = {"missing", "file",     "directory", "full directory",
                                  "symlink", "dangling", "fifo"};

void MakeKinds() {
  ::unlink("full directory/inside");
  for (auto const* const name : kKinds) {
    if (::unlink(name) != 0) ::rmdir(name);
  }
  Put("file", "content");
  ::mkdir("directory", 0755);
  ::mkdir("full directory", 0755);
  Put("full directory/inside", "");
  ::symlink("directory", "symlink");
  ::symlink("nowhere", "dangling");
  ::mkfifo("fifo", 0644);
}

TEST_F(PosixTest, EveryCallThatMakesANameRefusesOneThatIsThere) {
  ExpectSame([](Transcript& t) {
    Put("source", "source");
    for (std::string const kind : kKinds) {
      for (std::string const& name : {kind, kind + "/", kind + "/."}) {
        MakeKinds();
        t.Say("'" + name + "'");
        TRY(::mkdir(name.c_str(), 0755));
        MakeKinds();
        TRY(::symlink("source", name.c_str()));
        MakeKinds();
        TRY(::link("source", name.c_str()));
        MakeKinds();
        TRY(::mknod(name.c_str(), S_IFREG | 0644, 0));
        MakeKinds();
        TRY(::mkfifo(name.c_str(), 0644));
        t.Look(kind);
      }
    }
  });
}

TEST_F(PosixTest, EveryCallThatTakesANameAwayAsksForItsKind) {
  ExpectSame([](Transcript& t) {
    for (std::string const kind : kKinds) {
      for (std::string const& name : {kind, kind + "/", kind + "/.", kind + "/.."}) {
        t.Say("'" + name + "'");
        MakeKinds();
        TRY(::unlink(name.c_str()));
        t.Look(kind);
        MakeKinds();
        TRY(::rmdir(name.c_str()));
        t.Look(kind);
        t.Look(".");
      }
    }
    t.Say("roots and dots");
    TRY(::rmdir("."));
    TRY(::rmdir(".."));
    TRY(::unlink("."));
    TRY(::rmdir(""));
    TRY(::unlink(""));
    TRY(::mkdir(".", 0755));
    TRY(::mkdir("..", 0755));
    TRY(::mkdir("", 0755));
  });
}

TEST_F(PosixTest, NamesAreAtMost255BytesLongAndHoldAnyOthers) {
  ExpectSame([](Transcript& t) {
    for (std::size_t const length : {1U, 254U, 255U, 256U, 300U}) {
      std::string const name(length, 'n');
      t.Say("a name of " + std::to_string(length) + " bytes");
      TRY(::mkdir(name.c_str(), 0755));
      TRY(::rmdir(name.c_str()));
      TRY(::mknod(name.c_str(), S_IFREG | 0644, 0));
      TRY(::link(name.c_str(), "other"));
      TRY(::rename("other", name.c_str()));
      TRY(::unlink("other"));
      TRY(::unlink(name.c_str()));
      TRY(::symlink("target", name.c_str()));
      struct stat status {};
      TRY(::lstat(name.c_str(), &status));
      TRY(::unlink(name.c_str()));
    }
    for (std::string const name :
         {" ", "a\nb", "\\", "\x01\x7f", "\xff\xfe", "ä ö", "*?[", "-rf"}) {
      t.Say("name '" + name + "'");
      Put(name, name);
      t.Look(name);
      t.Content(name);
      TRY(::unlink(name.c_str()));
    }
    t.Say("case matters");
    Put("Name", "upper");
    Put("name", "lower");
    t.Content("Name");
    t.Content("name");
  });
}

TEST_F(PosixTest, LinksAreCounted) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    TRY(::link("file", "second"));
    TRY(::link("second", "directory/third"));
    t.Look("file");
    TRY(::link("file", "second"));
    TRY(::link("directory", "other"));
    TRY(::link("missing", "other"));
    TRY(::link("file", "missing/other"));
    TRY(::link("file/below", "other"));
    TRY(::link("file", "file/other"));
    TRY(::unlink("file"));
    t.Look("second");
    t.Content("directory/third");
    t.Say("directories count their subdirectories");
    TRY(::mkdir("directory/one", 0755));
    TRY(::mkdir("directory/two", 0755));
    t.Look("directory");
    TRY(::rmdir("directory"));
    TRY(::rmdir("directory/one"));
    TRY(::rename("directory/two", "moved"));
    t.Look("directory");
    t.Look("moved");
    t.Say("a symlink has links of its own");
    TRY(::symlink("second", "soft"));
    TRY(::linkat(AT_FDCWD, "soft", AT_FDCWD, "hard link to soft", 0));
    t.Look("soft");
    TRY(::linkat(AT_FDCWD, "soft", AT_FDCWD, "through soft", AT_SYMLINK_FOLLOW));
    t.Look("through soft");
    TRY(::mkfifo("fifo", 0644));
    TRY(::link("fifo", "fifo too"));
    t.Look("fifo too");
    t.Look(".");
  });
}

TEST_F(PosixTest, SymlinksHoldWhatTheyWereGiven) {
  ExpectSame([](Transcript& t) {
    for (std::string const& target :
         {std::string("target"), std::string("/absolute/path"), std::string(""),
          std::string(255, 't'), std::string(1000, 't'), std::string(4095, 't'),
          std::string(4096, 't')}) {
      t.Say("a target of " + std::to_string(target.size()) + " bytes");
      TRY(::symlink(target.c_str(), "link"));
      t.Look("link");
      std::string got(5000, '?');
      long const length = TRY(::readlink("link", got.data(), got.size()));
      t.Fact("is what was given", length >= 0 && got.substr(0, length) == target ? "yes" : "no");
      TRY(::readlink("link", got.data(), 3));
      TRY(::unlink("link"));
    }
    Put("file", "content");
    t.Say("what is no symlink");
    char got[8];
    TRY(::readlink("file", got, sizeof got));
    TRY(::readlink(".", got, sizeof got));
    TRY(::readlink("missing", got, sizeof got));
  });
}

TEST_F(PosixTest, SymlinksAreFollowedFortyTimes) {
  ExpectSame([](Transcript& t) {
    Put("link0", "content");
    for (int i = 1; i <= 42; ++i) {
      ::symlink(("link" + std::to_string(i - 1)).c_str(), ("link" + std::to_string(i)).c_str());
    }
    struct stat status {};
    TRY(::stat("link39", &status));
    TRY(::stat("link40", &status));
    TRY(::stat("link41", &status));
    ::symlink("loop", "loop");
    ::symlink("pong", "ping");
    ::symlink("ping", "pong");
    for (std::string const name : {"loop", "ping", "loop/below"}) {
      t.Say("'" + name + "'");
      TRY(::stat(name.c_str(), &status));
      TRY(::open(name.c_str(), O_RDONLY));
      TRY(::chmod(name.c_str(), 0644));
      TRY(::truncate(name.c_str(), 0));
      TRY(::mkdir((name + "/directory").c_str(), 0755));
      TRY(::rename(name.c_str(), "renamed"));
      TRY(::rename("renamed", name.c_str()));
      TRY(::link(name.c_str(), "linked"));
      TRY(::unlink("linked"));
    }
  });
}

TEST_F(PosixTest, WhatIsNoDirectoryHasNothingBeneathIt) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkfifo("fifo", 0644);
    ::symlink("file", "link");
    for (std::string const way : {"file/below", "fifo/below", "link/below", "missing/below"}) {
      auto const* const path = way.c_str();
      struct stat status {};
      t.Say("'" + way + "'");
      TRY(::stat(path, &status));
      TRY(::open(path, O_RDWR | O_CREAT, 0644));
      TRY(::mkdir(path, 0755));
      TRY(::rmdir(path));
      TRY(::unlink(path));
      TRY(::symlink("target", path));
      TRY(::link("file", path));
      TRY(::rename("file", path));
      TRY(::rename(path, "other"));
      TRY(::chmod(path, 0644));
      TRY(::chown(path, 1, 1));
      TRY(::truncate(path, 0));
      TRY(::mkfifo(path, 0644));
      TRY(::access(path, F_OK));
      TRY(::chdir(path));
    }
    TRY(::chdir("file"));
  });
}

TEST_F(PosixTest, SpecialFilesAreMadeByThoseWhoMay) {
  struct Kind {
    char const* name;
    mode_t mode;
    dev_t device;
  };
  static Kind const kinds[] = {{"regular", S_IFREG | 0640, 0},
                               {"fifo", S_IFIFO | 0600, 0},
                               {"socket", S_IFSOCK | 0755, 0},
                               {"null device", S_IFCHR | 0666, makedev(1, 3)},
                               {"block device", S_IFBLK | 0660, makedev(7, 1000)},
                               {"directory", S_IFDIR | 0755, 0},
                               {"large number", S_IFCHR | 0600, makedev(300, 70'000)}};
  ExpectSame([](Transcript& t) {
    for (auto const& kind : kinds) {
      t.Say(kind.name);
      TRY(::mknod(kind.name, kind.mode, kind.device));
      TRY(::mknod(kind.name, kind.mode, kind.device));
      t.Look(kind.name);
      TRY(::chmod(kind.name, 0700));
      TRY(::rename(kind.name, "renamed"));
      t.Look("renamed");
      TRY(::link("renamed", kind.name));
      TRY(::unlink("renamed"));
      t.Look(kind.name);
    }
    t.Say("open a device");
    TRY_OPEN(::open("null device", O_RDWR | O_CLOEXEC));
  });
}

TEST_F(PosixTest, FifosAndSocketsCarryBytes) {
  ExpectSame([](Transcript& t) {
    TRY(::mkfifo("fifo", 0644));
    int const out = TRY_OPEN(::open("fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    int const in = TRY_OPEN(::open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    char bytes[16] = {};
    TRY(::write(out, "through", 7));
    TRY(::read(in, bytes, sizeof bytes));
    t.Bytes("came out", bytes);
    TRY(::lseek(in, 0, SEEK_SET));
    TRY(::ftruncate(out, 0));
    TRY(::truncate("fifo", 0));
    t.Look("fifo");

    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "socket"};
    auto const* const where = reinterpret_cast<sockaddr const*>(&address);
    int const server = TRY_OPEN(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int const client = TRY_OPEN(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    TRY(::bind(server, where, sizeof address));
    TRY(::listen(server, 1));
    TRY(::connect(client, where, sizeof address));
    t.Look("socket");
    TRY_OPEN(::open("socket", O_RDWR | O_CLOEXEC));
    TRY(::unlink("socket"));
  });
}

}  // namespace
}  // namespace tusfs_testing
