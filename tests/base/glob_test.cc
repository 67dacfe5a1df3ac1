// Glob: which paths a pattern means.
#include "base/glob.h"

#include <gmock/gmock.h>

#include "base/fakes.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

bool Means(std::string const& pattern, std::string const& path) {
  auto const glob = Glob::Parse(pattern);
  EXPECT_TRUE(Ok(glob)) << pattern;
  return glob && glob->Matches(NamesOfPath(path));
}

TEST(Glob, WithoutASlashItMeansALastNameAnywhere) {
  EXPECT_TRUE(Means("*.tmp", "a.tmp"));
  EXPECT_TRUE(Means("*.tmp", "x/y/a.tmp"));
  EXPECT_FALSE(Means("*.tmp", "a.tmp/b"));
  EXPECT_FALSE(Means("a", "ab"));
}

TEST(Glob, WithASlashItMeansAPathFromTheMountOn) {
  EXPECT_TRUE(Means("inbox/*.mov", "inbox/a.mov"));
  EXPECT_FALSE(Means("inbox/*.mov", "x/inbox/a.mov"));
  EXPECT_FALSE(Means("inbox/*.mov", "inbox/x/a.mov")) << "a star is never a slash";
  EXPECT_TRUE(Means("/a", "a"));
  EXPECT_FALSE(Means("/a", "x/a"));
}

TEST(Glob, ThatEndsWithASlashMeansADirectoryAndEverythingBeneath) {
  EXPECT_TRUE(Means(".Trash-*/", ".Trash-1000/files/a"));
  EXPECT_TRUE(Means(".Trash-*/", "card/.Trash-1000/a"));
  EXPECT_FALSE(Means(".Trash-*/", ".Trash-1000")) << "a file of that name is another thing";
  EXPECT_TRUE(Means("/inbox/", "inbox/x/a"));
  EXPECT_FALSE(Means("/inbox/", "x/inbox/a"));
  EXPECT_TRUE(Means("ftp/*/", "ftp/joe/x/a"));
  EXPECT_FALSE(Means("ftp/*/", "ftp/a"));
}

TEST(Glob, TwoStarsAreAnyNumberOfDirectories) {
  EXPECT_TRUE(Means("**/raw/*.mov", "raw/a.mov"));
  EXPECT_TRUE(Means("**/raw/*.mov", "x/y/raw/a.mov"));
  EXPECT_TRUE(Means("day/**/a", "day/a"));
  EXPECT_TRUE(Means("day/**/a", "day/1/2/a"));
  EXPECT_TRUE(Means("day/**", "day/1/2/a"));
  EXPECT_FALSE(Means("day/**", "day"));
  EXPECT_FALSE(Means("day/**/a", "night/day/a"));
  EXPECT_TRUE(Means("**", "x/a"));
}

TEST(Glob, NamesAreMatchedAsByFnmatch) {
  EXPECT_TRUE(Means("*", ".hidden"));
  EXPECT_TRUE(Means("clip[0-9][!a].mov", "clip1b.mov"));
  EXPECT_FALSE(Means("clip[0-9][!a].mov", "clip1a.mov"));
  EXPECT_TRUE(Means("a?c", "abc"));
  EXPECT_TRUE(Means("\\*", "*"));
  EXPECT_FALSE(Means("\\*", "a"));
  EXPECT_FALSE(Means("*.MOV", "a.mov"));
  EXPECT_TRUE(Means("?\xff", "\xfe\xff")) << "bytes, whatever they are";
}

TEST(Glob, KeepsWhatWasWritten) { EXPECT_EQ(Glob::Parse("/a//b/")->text(), "/a//b/"); }

TEST(Glob, APatternThatNothingCanMatchIsRefusedWithASentence) {
  for (auto const* text : {"", "/", "//", "../a", "a/./b"}) {
    auto const glob = Glob::Parse(text);
    ASSERT_FALSE(glob) << text;
    EXPECT_EQ(glob.error().code, EINVAL);
    EXPECT_THAT(glob.error().context, HasSubstr("pattern"));
  }
}

}  // namespace
}  // namespace tusfs
