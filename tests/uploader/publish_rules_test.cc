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
  for (auto const* path :
       {"clip.mov", ".hidden", "DS_Store", "x.DS_Store", "_clip.mov", "Thumbs.db/clip.mov",
        ".Trash-1000", "notes.swp", "a~b", "desktop.ini.txt", ".clip.mov.a1B2c3", "clip.mov.part"}) {
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

}  // namespace
}  // namespace tusfs
