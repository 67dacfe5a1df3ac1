// Shrinker: what is left alone, and what is foreseen. What goes is in room_test.cc.
#include "filesystem/shrinker.h"

#include <gmock/gmock.h>

#include "filesystem/access_times.h"
#include "filesystem/parts.h"

namespace tusfs {
namespace {

class ShrinkerTest : public PartsRig {
 protected:
  InodeId FileThatIs(std::string const& name, Content content, std::uint64_t size = 10) {
    auto const inode = MakeFile(name, std::string(size, 'x'));
    ChangeRow(inode, [&](Inode& row) {
      row.content = content;
      row.changed = clock_.Wall();
    });
    clock_.Advance(std::chrono::seconds(1));
    return inode;
  }
  Shrinker::Outlook LookAhead(bool trims = false) {
    auto outlook = shrinker_.LookAhead(trims, {});
    EXPECT_TRUE(Ok(outlook));
    return *std::move(outlook);
  }

  Shrinker shrinker_{*store_, *spool_, open_, waiting_, removal_, rules_, logger_};
};

TEST_F(ShrinkerTest, WhatIsOpenKeepsItsBytesAndItsNames) {
  auto const uploaded = FileThatIs("uploaded", Content::kUploaded);
  auto const interrupted = FileThatIs("interrupted", Content::kInterrupted);
  ChangeRow(uploaded, [&](Inode& row) { row.published = 1; });
  HaveOpen(uploaded);
  HaveOpen(interrupted);
  EXPECT_EQ(shrinker_.Evict(uploaded), false);
  EXPECT_EQ(shrinker_.Expire(uploaded, clock_.Wall()), false);
  EXPECT_EQ(shrinker_.DropInterrupted(interrupted), std::nullopt);
  EXPECT_TRUE(HasRow(uploaded) && HasRow(interrupted));
}

TEST_F(ShrinkerTest, WhatHasGoneMeanwhileIsNoError) {
  InodeId const gone = 123'456;
  EXPECT_EQ(shrinker_.Evict(gone), false);
  EXPECT_EQ(shrinker_.Trim(gone), 0U);
  EXPECT_EQ(shrinker_.Expire(gone, clock_.Wall()), false);
  EXPECT_EQ(shrinker_.Discard(gone), false);
}

TEST_F(ShrinkerTest, WhatIsStuckIsCountedAndTheOldestInterruptedComesFirst) {
  auto const older = FileThatIs("older", Content::kInterrupted);
  auto const younger = FileThatIs("younger", Content::kInterrupted);
  FileThatIs("failed", Content::kFailed, 5);
  auto const outlook = LookAhead();
  EXPECT_FALSE(outlook.goes_on);
  EXPECT_EQ(outlook.stuck, 25U);
  ASSERT_EQ(outlook.interrupted.size(), 2U);
  EXPECT_EQ(outlook.interrupted[0].inode, older);
  EXPECT_EQ(outlook.interrupted[1].inode, younger);
}

TEST_F(ShrinkerTest, WhatIsOnItsWayGoesByItself) {
  FileThatIs("finished", Content::kFinished);
  auto const outlook = LookAhead();
  EXPECT_TRUE(outlook.goes_on);
  EXPECT_EQ(outlook.stuck, 0U);
}

TEST_F(ShrinkerTest, WhatIsWrittenGoesOnlyWhereItMayBeTrimmed) {
  HaveOpen(FileThatIs("written", Content::kWriting), O_WRONLY);
  EXPECT_FALSE(LookAhead(false).goes_on);
  EXPECT_TRUE(LookAhead(true).goes_on);
}

TEST_F(ShrinkerTest, WhatIsNotSentBeforeItIsClosedCannotBeTrimmedMeanwhile) {
  HaveOpen(FileThatIs("written", Content::kWriting), O_WRONLY);
  rules_.by_path = PathRules({{.files = GlobsOf({"writ*"}), .start = StartOf::kClosed}});
  EXPECT_FALSE(LookAhead(true).goes_on);
}

TEST_F(ShrinkerTest, WhatWaitsForSomethingThatIsStuckIsStuckToo) {
  std::vector<PathRule> const rules{{.files = GlobsOf({"*.xml"}), .after = {"{stem}.mov"}},
                                    {.files = GlobsOf({"*.mhl"}), .after = {"*.xml"}}};
  rules_.by_path = PathRules(rules);
  FileThatIs("clip.mhl", Content::kSettling);
  auto const sidecar = FileThatIs("clip.xml", Content::kSettling);
  auto const media = FileThatIs("clip.mov", Content::kInterrupted);
  auto const outlook = LookAhead();
  EXPECT_FALSE(outlook.goes_on);
  EXPECT_EQ(outlook.stuck, 30U);
  ASSERT_EQ(outlook.interrupted.size(), 1U) << "they may not be dropped for that";
  ChangeRow(sidecar, [](Inode& row) { row.approved = true; });
  EXPECT_TRUE(LookAhead().goes_on) << "somebody wants it sent";
  ChangeRow(sidecar, [](Inode& row) { row.approved = false; });
  ChangeRow(media, [](Inode& row) { row.content = Content::kFinished; });
  EXPECT_TRUE(LookAhead().goes_on);
  EXPECT_EQ(LookAhead().stuck, 0U);
}

TEST_F(ShrinkerTest, WhatWaitsForAFileThatIsBeingWrittenDoesNotGoMeanwhile) {
  rules_.by_path = PathRules({{.files = GlobsOf({"*.xml"}), .after = {"*.mov"}}});
  FileThatIs("clip.xml", Content::kSettling);
  HaveOpen(FileThatIs("clip.mov", Content::kWriting), O_WRONLY);
  EXPECT_FALSE(LookAhead().goes_on);
}

// ---- access times

TEST_F(ShrinkerTest, AnAccessCountsOnceForEachChangeAndOnceADay) {
  auto const inode = MakeFile("f", "x");
  AccessTimes const access_times(*store_, clock_, logger_);
  auto const note = [&](std::chrono::seconds later) {
    clock_.Advance(later);
    access_times.Note(inode);
    return Row(inode).accessed == clock_.Wall();
  };
  EXPECT_TRUE(note(std::chrono::seconds(1)));
  EXPECT_FALSE(note(std::chrono::seconds(1)));
  ChangeRow(inode, [&](Inode& row) { row.modified = clock_.Wall(); });
  EXPECT_TRUE(note(std::chrono::seconds(1)));
  EXPECT_FALSE(note(std::chrono::hours(23)));
  EXPECT_TRUE(note(std::chrono::hours(1)));
}

}  // namespace
}  // namespace tusfs
