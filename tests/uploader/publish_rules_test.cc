// PublishRules: which names are never uploaded, and which wait.
#include "uploader/publish_rules.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

TEST(IgnoredByDefault, AreTheTracesOfDesktopsEditorsAndOtherFilesystems) {
  PublishRules const rules;
  for (auto const* path :
       {".DS_Store", "card/.DS_Store", "card/._clip.mov", "Thumbs.db", "x/desktop.ini",
        ".Trash-1000/files/clip.mov", ".Trashes/501/clip.mov", ".~tmp~/clip.mov",
        "x/.rsync-partial/clip.mov", ".~lock.notes.odt#", ".notes.txt.swp", "notes.txt~",
        ".fuse_hidden0000000100000001", ".nfs000000000000002a00000001"}) {
    EXPECT_TRUE(rules.IgnoredBy(path)) << path;
  }
}

TEST(IgnoredByDefault, AreNoFilesThatPeopleMean) {
  PublishRules const rules;
  for (auto const* path : {"clip.mov", ".hidden", "DS_Store", "x.DS_Store", "_clip.mov",
                           "Thumbs.db/clip.mov", ".Trash-1000", "notes.swp", "a~b",
                           "desktop.ini.txt", ".clip.mov.a1B2c3", "clip.mov.part"}) {
    EXPECT_FALSE(rules.IgnoredBy(path)) << path;
  }
}

TEST(IgnoredBy, NamesThePatternAsItWasWritten) {
  EXPECT_EQ(PublishRules().IgnoredBy("x/._clip.mov"), "._*");
  PublishRules rules;
  rules.ignored = GlobsOf({"/cache/"});
  EXPECT_EQ(rules.IgnoredBy("cache/a"), "/cache/");
  EXPECT_FALSE(rules.IgnoredBy(".DS_Store"));
}

TEST(Temporary, AreTheKnownFormsAndThoseThatWereAdded) {
  PublishRules rules;
  rules.temporary = GlobsOf({"*.uploading", "spool/"});
  EXPECT_TRUE(rules.IsTemporary("x/clip.mov.part"));
  EXPECT_TRUE(rules.IsTemporary("x/clip.mov.uploading"));
  EXPECT_TRUE(rules.IsTemporary("spool/clip.mov"));
  EXPECT_FALSE(rules.IsTemporary("x.part/clip.mov"));
  EXPECT_FALSE(rules.IsTemporary("clip.mov"));
}

// ---- who says that a file is finished

class Finish : public testing::Test {
 protected:
  void Rule(std::string const& glob, FinishBy by) {
    rules_.finish.push_back({Glob::Parse(glob).value(), by});
  }

  PublishRules rules_;
  Inode inode_;
};

TEST_F(Finish, TheFirstRuleThatMatchesCounts) {
  Rule("ftp/done/", FinishBy::kClose);
  Rule("ftp/", FinishBy::kManual);
  Rule("*.mov", FinishBy::kCommand);
  EXPECT_EQ(rules_.HoldOf(inode_, "ftp/done/a.mov"), Hold::kNone);
  EXPECT_EQ(rules_.HoldOf(inode_, "ftp/a.mov"), Hold::kManual);
  EXPECT_EQ(rules_.HoldOf(inode_, "a.mov"), Hold::kCommand);
  EXPECT_EQ(rules_.HoldOf(inode_, "a.txt"), Hold::kNone);
}

TEST_F(Finish, ARenameSatisfiesTheRuleThatWantsOne) {
  Rule("*", FinishBy::kRename);
  EXPECT_EQ(rules_.HoldOf(inode_, "a"), Hold::kRename);
  inode_.renamed = true;
  EXPECT_EQ(rules_.HoldOf(inode_, "a"), Hold::kNone);
}

TEST_F(Finish, ApprovedBytesWaitForNothingButUnderAnIgnoredName) {
  Rule("*", FinishBy::kManual);
  inode_.approved = true;
  EXPECT_EQ(rules_.HoldOf(inode_, "a"), Hold::kNone);
  EXPECT_EQ(rules_.HoldOf(inode_, "a.part"), Hold::kNone);
  EXPECT_EQ(rules_.HoldOf(inode_, "a~"), Hold::kIgnored);
}

TEST_F(Finish, ATemporaryNameWaitsForItsOwnRenameFirst) {
  Rule("*", FinishBy::kManual);
  EXPECT_EQ(rules_.HoldOf(inode_, "a.part"), Hold::kTemporary);
}

TEST_F(Finish, AnInterruptedFileSettlesOnlyWhereThatIsWanted) {
  inode_.content = Content::kInterrupted;
  EXPECT_FALSE(rules_.Settles(inode_));
  rules_.publish_interrupted = true;
  EXPECT_TRUE(rules_.Settles(inode_));
  inode_.content = Content::kFailed;
  EXPECT_FALSE(rules_.Settles(inode_));
}

}  // namespace
}  // namespace tusfs
