// Names and marks of what is being taken in.
#include "import/marks.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/file.h"
#include "testing/files.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

TEST(ImportNames, ANumberStandsBeforeTheEnding) {
  EXPECT_EQ(NumberedName("clip.mov", 0), "clip.mov");
  EXPECT_EQ(NumberedName("clip.mov", 2), "clip.imported-2.mov");
  EXPECT_EQ(NumberedName("clip", 1), "clip.imported-1");
  EXPECT_EQ(NumberedName(".profile", 1), ".profile.imported-1");
  EXPECT_EQ(NumberedName("a.tar.gz", 1), "a.tar.imported-1.gz");
}

TEST(ImportNames, TheLongestNamesStayWithinWhatAFilesystemTakes) {
  std::string const stem(251, 'n');
  std::string const ending = "." + std::string(254, 'e');
  for (auto const& name : {stem + ".mov", std::string(255, 'n'), ending}) {
    EXPECT_LE(NumberedName(name, 999).size(), 255u) << name;
    EXPECT_NE(NumberedName(name, 998), NumberedName(name, 999)) << name;
    EXPECT_LE(NameWhileCopied(name).size(), 255u) << name;
  }
}

TEST(ImportNames, TheUploaderKnowsTheNameThatACopyWillGet) {
  for (std::string const name : {"clip.mov", "clip", ".profile"}) {
    EXPECT_EQ(FinalNameOf(NameWhileCopied(name)), name);
  }
  std::string const longest(241, 'n');
  EXPECT_EQ(FinalNameOf(NameWhileCopied(longest)), longest);
  EXPECT_EQ(FinalNameOf(NameWhileCopied(longest + "n")), "") << "never a name that is cut";
}

TEST(ImportMark, IsOfOneFileAsItIs) {
  TempDir const dir;
  WriteFile(dir / "one", "bytes");
  WriteFile(dir / "other", "bytes");
  auto const mark_of = [&](char const* name) {
    struct stat status {};
    EXPECT_EQ(::stat((dir / name).c_str(), &status), 0);
    return MarkOf(status);
  };
  auto const before = mark_of("one");
  EXPECT_EQ(mark_of("one"), before);
  EXPECT_NE(mark_of("other"), before);
  WriteFile(dir / "one", "bytes and more");
  EXPECT_NE(mark_of("one"), before);
}

TEST(ImportMark, IsFoundUntilItIsTakenAway) {
  TempDir const dir;
  WriteFile(dir / "copy", "bytes");
  UniqueFd const directory(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  UniqueFd const copy(::open((dir / "copy").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(IsMarked(directory.get(), "copy"));
  ASSERT_TRUE(SetMark(copy.get(), "file 7"));
  EXPECT_TRUE(HasMark(directory.get(), "copy", "file 7"));
  EXPECT_FALSE(HasMark(directory.get(), "copy", "file 70"));
  TakeMarkAway(directory.get(), "copy");
  EXPECT_FALSE(IsMarked(directory.get(), "copy"));
}

}  // namespace
}  // namespace tusfs
