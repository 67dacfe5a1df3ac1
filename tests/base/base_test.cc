// Base: errors, file descriptors, small files and identities.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "base/fakes.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/machine.h"
#include "base/text.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

TEST(Errors, DescribeThemselves) {
  EXPECT_EQ(Describe(Error{ENOENT, "no such clip"}), "no such clip");
  EXPECT_EQ(Describe(Error{ENOENT, ""}), "No such file or directory");
  errno = EACCES;
  Result<void> const failed = FailErrno("the door");
  EXPECT_EQ(failed.error().code, EACCES);
  EXPECT_EQ(failed.error().context, "the door: Permission denied");
}

class Files : public testing::Test {
 protected:
  TempDir const dir_;
};

TEST_F(Files, ADescriptorIsClosedOnceWithItsOwner) {
  auto opened = OpenFile(dir_ / "a", O_RDWR | O_CREAT);
  ASSERT_TRUE(Ok(opened));
  int const number = opened->get();
  {
    UniqueFd const owner = std::move(*opened);
    EXPECT_FALSE(*opened);
    EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST_F(Files, AssigningADescriptorClosesTheOneBeforeButNotItself) {
  auto first = OpenFile(dir_ / "a", O_RDWR | O_CREAT).value();
  int const old = first.get();
  first = OpenFile(dir_ / "b", O_RDWR | O_CREAT).value();
  EXPECT_EQ(::fcntl(old, F_GETFD), -1);
  auto& same = first;
  first = std::move(same);
  EXPECT_NE(::fcntl(first.get(), F_GETFD), -1);
}

TEST_F(Files, AMissingFileIsNamed) {
  auto const missing = OpenFile(dir_ / "missing", O_RDONLY);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().context, HasSubstr("missing"));
}

TEST_F(Files, ReadsAndWritesAtPositions) {
  auto const fd = OpenFile(dir_ / "a", O_RDWR | O_CREAT).value();
  std::string const text = "hello";
  ASSERT_TRUE(Ok(WriteFully(fd.get(), std::as_bytes(std::span(text)), 3)));
  std::string back(100, '?');
  EXPECT_EQ(ReadFully(fd.get(), std::as_writable_bytes(std::span(back)), 4), 4U);
  EXPECT_EQ(back.substr(0, 4), "ello");
  EXPECT_EQ(ReadFully(fd.get(), std::as_writable_bytes(std::span(back)), 100), 0U);
  EXPECT_EQ(CodeOf(WriteFully(-1, std::as_bytes(std::span(text)), 0)), EBADF);
}

TEST_F(Files, APrivateDirectoryIsTheUsersAlone) {
  auto const path = dir_ / "a" / "b";
  ASSERT_TRUE(Ok(MakePrivateDirectory(path)));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
  EXPECT_TRUE(Ok(MakePrivateDirectory(path))) << "an existing one is success";
  WriteFile(dir_ / "file", "");
  EXPECT_FALSE(MakePrivateDirectory(dir_ / "file"));
  EXPECT_FALSE(MakePrivateDirectory(dir_ / "file" / "below"));
  std::filesystem::create_directory_symlink(path, dir_ / "link");
  EXPECT_FALSE(MakePrivateDirectory(dir_ / "link"));
}

TEST_F(Files, SmallFilesAreReadWhole) {
  WriteFile(dir_ / "a", "text\n");
  EXPECT_EQ(ReadSmallFile(dir_ / "a"), "text\n");
  WriteFile(dir_ / "empty", "");
  EXPECT_EQ(ReadSmallFile(dir_ / "empty"), "");
  EXPECT_EQ(CodeOf(ReadSmallFile(dir_ / "missing")), ENOENT);
  EXPECT_EQ(CodeOf(ReadSmallFile(dir_.path())), EISDIR);
  EXPECT_THAT(ReadSmallFile("/proc/self/stat").value(), HasSubstr(std::to_string(::getpid())));
}

TEST_F(Files, AReplacedFileIsWholeAndPrivate) {
  WriteFile(dir_ / "a", "a much longer text than the new one");
  ASSERT_TRUE(Ok(ReplaceFile(dir_ / "a", "new")));
  EXPECT_EQ(ReadFile(dir_ / "a"), "new");
  EXPECT_EQ(std::filesystem::status(dir_ / "a").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(ReplaceFile(dir_ / "no" / "a", "new"));
}

TEST(Counted, OneIsNotMany) {
  EXPECT_EQ(Counted(0, "file waits", "files wait"), "0 files wait");
  EXPECT_EQ(Counted(1, "file waits", "files wait"), "1 file waits");
  EXPECT_EQ(Counted(2, "file waits", "files wait"), "2 files wait");
}

TEST(Printable, ShowsControlCharactersAsNumbersAndLeavesTheRest) {
  EXPECT_EQ(Printable("a b/\xc3\xa4 \xff"), "a b/\xc3\xa4 \xff");
  EXPECT_EQ(Printable("a\nb\x1b[2J\x7f"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "a terminal takes it for ESC [";
  EXPECT_EQ(Printable("\xc2\xa0\xc2"), "\xc2\xa0\xc2");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xe2\x80\xaevom.exe"), "\\xe2\\x80\\xaevom.exe") << "U+202E";
  EXPECT_EQ(Printable("\xe2\x80\x93\xe2\x80"), "\xe2\x80\x93\xe2\x80") << "a dash";
}

TEST(Uuids, AreRandomAndLookLikeVersion4) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto const uuid = Uuid::Random();
    EXPECT_FALSE(uuid.IsNil());
    seen.insert(uuid.ToString());
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_THAT(*seen.begin(),
              MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  EXPECT_EQ(seen.begin()->size(), 36U);
  EXPECT_EQ(Uuid{}.ToString(), "00000000-0000-0000-0000-000000000000");
  EXPECT_TRUE(Uuid{}.IsNil());
}

TEST(Clocks, GoForward) {
  SystemClock const clock;
  auto const before = clock.Steady();
  EXPECT_LE(before, clock.Steady());
  EXPECT_GT(clock.Wall(), FileTime{1'600'000'000} * 1'000'000'000);
}

TEST(Machine, HasANameAndAnIdOfItsOwnThatIsNotTheMachines) {
  EXPECT_FALSE(HostName().empty());
  auto const id = MachineId();
  EXPECT_EQ(id, MachineId());
  std::ifstream file("/etc/machine-id");
  std::string machine;
  if (!(file >> machine)) GTEST_SKIP() << "SKIPPED: the machine has no id";
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(id, machine);
}

}  // namespace
}  // namespace tusfs
