// ListSource: nothing of a card is left out in silence.
#include "proof/source_tree.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SourceTreeTest : public testing::Test {
 protected:
  void Write(std::string const& path) {
    std::filesystem::create_directories((card_ / path).parent_path());
    tusfs_testing::WriteFile(card_ / path, "bytes");
  }

  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    auto const entries = ListSource(card_);
    EXPECT_TRUE(Ok(entries));
    for (auto const& entry : *entries) paths.push_back(entry.path);
    return paths;
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const card_ = dir_ / "card";
};

TEST_F(SourceTreeTest, FilesComeInTheOrderOfTheirPaths) {
  Write("b");
  Write("a/2");
  Write("a/1");
  Write(".hidden");
  EXPECT_THAT(Paths(), ElementsAre(".hidden", "a/1", "a/2", "b"));
  auto const entry = ListSource(card_)->at(1);
  EXPECT_EQ(entry.size, 5U);
  EXPECT_THAT(entry.problem, IsEmpty());
}

TEST_F(SourceTreeTest, LinksAndPipesAreProblemsNotNothing) {
  Write("a");
  std::filesystem::create_symlink("a", card_ / "link");
  ASSERT_EQ(::mkfifo((card_ / "pipe").c_str(), 0600), 0);
  auto const entries = ListSource(card_);
  ASSERT_TRUE(Ok(entries));
  EXPECT_THAT(entries->at(1).problem, HasSubstr("symbolic link"));
  EXPECT_THAT(entries->at(2).problem, HasSubstr("no regular file"));
}

TEST_F(SourceTreeTest, ADirectoryThatCannotBeReadIsAProblem) {
  if (::geteuid() == 0) GTEST_SKIP() << "SKIPPED: root reads everything";
  Write("closed/a");
  std::filesystem::permissions(card_ / "closed", std::filesystem::perms::none);
  auto const entries = ListSource(card_);
  std::filesystem::permissions(card_ / "closed", std::filesystem::perms::owner_all);
  ASSERT_TRUE(Ok(entries));
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_THAT(entries->at(0).problem, HasSubstr("cannot be looked at"));
}

TEST_F(SourceTreeTest, OneFileIsASourceToo) {
  Write("clip.mov");
  auto const entries = ListSource(card_ / "clip.mov");
  ASSERT_TRUE(Ok(entries));
  EXPECT_EQ(entries->at(0).path, "clip.mov");
}

TEST_F(SourceTreeTest, NoSourceIsAnError) {
  auto const entries = ListSource(card_ / "gone");
  EXPECT_EQ(CodeOf(entries), ENOENT);
  EXPECT_THAT(entries.error().context, HasSubstr("/card/gone'"));
}

TEST_F(SourceTreeTest, JunkIsWhatDesktopsMakeAndNothingElse) {
  for (auto const* path :
       {".DS_Store", "a/.DS_Store", "a/._clip.mov", "Thumbs.db", ".Trashes/501/clip.mov",
        "a/.Trash-1000/x", "System Volume Information/x", "$RECYCLE.BIN/x"}) {
    EXPECT_TRUE(IsJunk(path)) << path;
  }
  for (auto const* path : {"clip.mov", ".DS_Store/clip.mov", "a/_clip.mov", "Trashes/x",
                           "x.DS_Store", ".Trash", "notes~", ".hidden"}) {
    EXPECT_FALSE(IsJunk(path)) << path;
  }
}

}  // namespace
}  // namespace tusfs
