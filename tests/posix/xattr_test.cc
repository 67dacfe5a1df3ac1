// Extended attributes, in every namespace, on every kind of file.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

// Names in order, without those that the system itself gives (security.selinux …).
std::string ListOf(char const* path) {
  std::string names(65536, '\0');
  ssize_t const length = ::llistxattr(path, names.data(), names.size());
  if (length < 0) return ::strerrorname_np(errno);
  std::istringstream in(names.substr(0, static_cast<std::size_t>(length)));
  std::vector<std::string> list;
  for (std::string name; std::getline(in, name, '\0');) {
    if (name.starts_with("user.") || name.starts_with("trusted.")) list.push_back(name);
  }
  std::ranges::sort(list);
  std::string text;
  for (auto const& name : list) text += name + " ";
  return text;
}

void ShowValue(Transcript& t, char const* path, char const* name) {
  std::string value(65536, '\0');
  ssize_t const length = ::lgetxattr(path, name, value.data(), value.size());
  if (length < 0) return t.Fact(name, ::strerrorname_np(errno));
  value.resize(static_cast<std::size_t>(length));
  t.Bytes(name, value);
}

TEST_F(PosixTest, XattrsAreKeptAsTheyWereSet) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    char value[64] = {};
    TRY(::getxattr("file", "user.color", value, sizeof value));
    TRY(::removexattr("file", "user.color"));
    TRY(::setxattr("file", "user.color", "red", 3, XATTR_REPLACE));
    TRY(::setxattr("file", "user.color", "red", 3, XATTR_CREATE));
    TRY(::setxattr("file", "user.color", "green", 5, XATTR_CREATE));
    ShowValue(t, "file", "user.color");
    TRY(::setxattr("file", "user.color", "green", 5, XATTR_REPLACE));
    ShowValue(t, "file", "user.color");
    TRY(::setxattr("file", "user.color", "b", 1, 0));
    ShowValue(t, "file", "user.color");
    TRY(::setxattr("file", "user.color", "b", 1, XATTR_CREATE | XATTR_REPLACE));
    TRY(::setxattr("file", "user.color", "b", 1, 77));
    TRY(::setxattr("file", "user.empty", "", 0, 0));
    ShowValue(t, "file", "user.empty");
    TRY(::setxattr("file", "user.zeros", "a\0b\0", 4, 0));
    ShowValue(t, "file", "user.zeros");
    t.Fact("list", ListOf("file"));
    t.Say("sizes");
    TRY(::setxattr("file", "user.size", "0123456789", 10, 0));
    TRY(::getxattr("file", "user.size", nullptr, 0));
    TRY(::getxattr("file", "user.size", value, 9));
    TRY(::getxattr("file", "user.size", value, 10));
    TRY(::listxattr("file", value, 3));
    t.Fact("the list's own size is enough",
           ::listxattr("file", nullptr, 0) <= static_cast<ssize_t>(sizeof value) ? "yes" : "no");
    t.Say("names");
    TRY(::setxattr("file", ("user." + std::string(250, 'n')).c_str(), "x", 1, 0));
    TRY(::setxattr("file", ("user." + std::string(251, 'n')).c_str(), "x", 1, 0));
    TRY(::setxattr("file", "user.", "x", 1, 0));
    TRY(::setxattr("file", "", "x", 1, 0));
    TRY(::setxattr("file", "none", "x", 1, 0));
    TRY(::getxattr("file", "none", value, sizeof value));
    TRY(::setxattr("file", "other.name", "x", 1, 0));
    TRY(::getxattr("file", "other.name", value, sizeof value));
    TRY(::removexattr("file", "other.name"));
    TRY(::getxattr("missing", "user.color", value, sizeof value));
    t.Say("who else sees them");
    TRY(::rename("file", "renamed"));
    t.Fact("list", ListOf("renamed"));
    TRY(::link("renamed", "linked"));
    ShowValue(t, "linked", "user.zeros");
    TRY(::removexattr("linked", "user.zeros"));
    TRY(::removexattr("renamed", "user.zeros"));
    t.Fact("list", ListOf("renamed"));
    int const fd = TRY_OPEN(::open("linked", O_RDWR | O_CLOEXEC));
    TRY(::fsetxattr(fd, "user.open", "yes", 3, 0));
    TRY(::unlink("linked"));
    TRY(::unlink("renamed"));
    TRY(::fgetxattr(fd, "user.open", value, sizeof value));
    TRY(::fsetxattr(fd, "user.nameless", "yes", 3, 0));
    TRY(::fremovexattr(fd, "user.open"));
  });
}

TEST_F(PosixTest, XattrsDoNotMoveWhatTheyDoNotChange) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    t.Effect({"file"}, [&] { TRY(::setxattr("file", "user.a", "1", 1, 0)); });
    t.Effect({"file"}, [&] { TRY(::setxattr("file", "user.a", "22", 2, 0)); });
    t.Effect({"file"}, [&] { TRY(::getxattr("file", "user.a", nullptr, 0)); });
    t.Effect({"file"}, [&] { TRY(::removexattr("file", "user.a")); });
    t.Effect({"file"}, [&] { TRY(::removexattr("file", "user.a")); });
    t.Look("file");
  });
}

TEST_F(PosixTest, LargeXattrsComeBackWhole) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    // What fits differs; every filesystem has room for this, and the kernel for no more than 64
    // KiB.
    std::string const large(3000, 'l');
    TRY(::setxattr("file", "user.large", large.data(), large.size(), 0));
    ShowValue(t, "file", "user.large");
    std::string const too_large(65537, 'l');
    TRY(::setxattr("file", "user.larger", too_large.data(), too_large.size(), 0));
    for (int i = 0; i < 20; ++i) {
      auto const name = "user.one of many " + std::to_string(i);
      TRY(::setxattr("file", name.c_str(), name.data(), name.size(), 0));
    }
    t.Fact("list", ListOf("file"));
    ShowValue(t, "file", "user.one of many 13");
  });
}

TEST_F(PosixTest, EachNamespaceHasItsRules) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    ::mkdir("directory", 0755);
    ::symlink("file", "link");
    ::mkfifo("fifo", 0644);
    char value[64] = {};
    for (auto const* const path : {"file", "directory", "link", "fifo"}) {
      for (auto const* const name : {"user.a", "trusted.a", "security.a", "system.a"}) {
        t.Say(std::string(path) + ": " + name);
        TRY(::lsetxattr(path, name, "value", 5, 0));
        TRY(::lgetxattr(path, name, value, sizeof value));
        TRY(::lremovexattr(path, name));
        TRY(::lgetxattr(path, name, value, sizeof value));
      }
    }
    t.Say("through a link");
    TRY(::setxattr("link", "user.a", "value", 5, 0));
    t.Fact("list", ListOf("file"));
    t.Fact("list", ListOf("link"));
  });
}

TEST_F(PosixTest, XattrsAskTheModeOfTheFile) {
  ExpectSameForRoot([](Transcript& t) {
    for (uid_t const owner : {kUserId, kStrangerId}) {
      for (mode_t const mode : {0666, 0644, 0600, 0222, 0}) {
        Put("file", "content");
        ::setxattr("file", "user.a", "value", 5, 0);
        ::setxattr("file", "trusted.a", "value", 5, 0);
        ::chown("file", owner, owner);
        ::chmod("file", mode);
        t.As(User(), [&] {
          char value[64] = {};
          t.Say("file of " + std::to_string(owner) + ", mode " + Octal(mode));
          TRY(::getxattr("file", "user.a", value, sizeof value));
          TRY(::setxattr("file", "user.a", "other", 5, 0));
          TRY(::getxattr("file", "trusted.a", value, sizeof value));
          TRY(::setxattr("file", "trusted.a", "other", 5, 0));
          t.Fact("list", ListOf("file"));
        });
        t.Fact("root's list", ListOf("file"));
        ::unlink("file");
      }
    }
    t.Say("a sticky directory's are its owner's");
    ::mkdir("sticky", 01777);
    ::chmod("sticky", 01777);
    t.As(User(), [&] { TRY(::setxattr("sticky", "user.a", "value", 5, 0)); });
  });
}

TEST_F(PosixTest, CapabilitiesEndWithAWriteOrAChown) {
  ExpectSameForRoot([](Transcript& t) {
    // Version 2 of the grammar in linux/capability.h: cap_net_raw, effective and permitted.
    static constexpr char kCapability[20] = {1, 0, 0, 2, 0, 0x20};
    auto const grant = [&] {
      TRY(::setxattr("file", "security.capability", kCapability, sizeof kCapability, 0));
      ShowValue(t, "file", "security.capability");
    };
    Put("file", "content", 0777);
    grant();
    t.As(User(), [&] {
      int const fd = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
      TRY(::write(fd, "x", 1));
    });
    ShowValue(t, "file", "security.capability");
    grant();
    t.Say("after a truncation");
    TRY(::truncate("file", 3));
    ShowValue(t, "file", "security.capability");
    grant();
    t.Say("after a chown");
    TRY(::chown("file", kUserId, kUserId));
    ShowValue(t, "file", "security.capability");
    grant();
    t.Say("after a chmod");
    TRY(::chmod("file", 0755));
    ShowValue(t, "file", "security.capability");
    t.As(User(), [&] {
      TRY(::setxattr("file", "security.capability", kCapability, sizeof kCapability, 0));
    });
  });
}

// The mode is all there is; programs that copy ACLs have to be told so in the way they know.
TEST_F(PosixTest, AclsAreRefusedCleanly) {
  // The grammar of linux/posix_acl_xattr.h: version 2, then tag, permissions and id of each entry:
  // the owner, user 1, the group, the mask, others.
  static constexpr char kAcl[] =
      "\2\0\0\0"
      "\1\0\6\0\xff\xff\xff\xff"
      "\2\0\4\0\1\0\0\0"
      "\4\0\4\0\xff\xff\xff\xff"
      "\x10\0\4\0\xff\xff\xff\xff"
      "\x20\0\4\0\xff\xff\xff\xff";
  auto const path = (*mount_ / "directory").string();
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  for (auto const* const name : {"system.posix_acl_access", "system.posix_acl_default"}) {
    EXPECT_EQ(::setxattr(path.c_str(), name, kAcl, sizeof kAcl - 1, 0), -1) << name;
    EXPECT_EQ(errno, EOPNOTSUPP) << name << ": " << std::strerror(errno);
    char value[64] = {};
    EXPECT_EQ(::getxattr(path.c_str(), name, value, sizeof value), -1) << name;
    EXPECT_TRUE(errno == EOPNOTSUPP || errno == ENODATA) << name << ": " << std::strerror(errno);
  }
}

}  // namespace
}  // namespace tusfs_testing
