// Backlog: the numbers that a waiting person sees are those that a list would have, whatever
// changes.
#include "filesystem/backlog.h"

#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using Numbers = Backlog::Numbers;

class BacklogTest : public FilesystemRig {
 protected:
  [[nodiscard]] Backlog Counted(std::string const& path = "") {
    Backlog backlog(reporter_, path);
    EXPECT_TRUE(Ok(backlog.CountAnew()));
    return backlog;
  }

  void Become(InodeId inode, Content content) {
    ChangeRow(inode, [&](Inode& row) { row.content = content; });
  }

  Reporter const reporter_{*store_, *spool_, *uploader_, *finishing_};
};

TEST_F(BacklogTest, CountsWhatIsNotUploadedAndWhatIsStuck) {
  auto const half = MakeFile("half", "1234567890");
  Become(half, Content::kFinished);
  GiveUpload(half, 4);
  Become(MakeFile("cut", "123"), Content::kInterrupted);
  Become(MakeFile("done", "12345"), Content::kUploaded);
  MakeFile(".DS_Store", "never uploaded");
  MakeFile("clip.part", "waits for its name");
  EXPECT_EQ(Counted().numbers(), (Numbers{.going = 1, .left = 6, .size = 10, .stuck = 2}));
}

TEST_F(BacklogTest, FollowsAFileThroughItsLife) {
  auto const inode = MakeFile("clip", "12345");
  auto backlog = Counted();
  EXPECT_EQ(backlog.numbers(), (Numbers{.going = 1, .left = 5, .size = 5}));
  Become(inode, Content::kInterrupted);
  EXPECT_TRUE(Ok(backlog.Look(inode)));
  EXPECT_EQ(backlog.numbers(), (Numbers{.stuck = 1}));
  Become(inode, Content::kUploaded);
  EXPECT_TRUE(Ok(backlog.Look(inode)));
  EXPECT_EQ(backlog.numbers(), Numbers{});
}

TEST_F(BacklogTest, AFileThatIsNewOrGoneIsSeenByItself) {
  auto backlog = Counted();
  auto const inode = MakeFile("clip", "12345");
  EXPECT_TRUE(Ok(backlog.Look(inode)));
  EXPECT_TRUE(Ok(backlog.Look(inode))) << "it is counted once";
  EXPECT_EQ(backlog.numbers(), (Numbers{.going = 1, .left = 5, .size = 5}));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  EXPECT_TRUE(Ok(backlog.Look(inode)));
  EXPECT_EQ(backlog.numbers(), Numbers{});
}

TEST_F(BacklogTest, OnlyWhatIsBeneathItsPathCounts) {
  auto const d = MakeDir("d");
  MakeFile("in", "12", d);
  auto const outside = MakeFile("out", "1234");
  auto backlog = Counted("d");
  EXPECT_EQ(backlog.numbers(), (Numbers{.going = 1, .left = 2, .size = 2}));
  EXPECT_TRUE(Ok(backlog.Look(outside)));
  EXPECT_EQ(backlog.numbers(), (Numbers{.going = 1, .left = 2, .size = 2}));
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "out", d, "out", 0)));
  EXPECT_TRUE(Ok(backlog.Look(outside)));
  EXPECT_EQ(backlog.numbers(), (Numbers{.going = 2, .left = 6, .size = 6}));
}

TEST_F(BacklogTest, OfOneFileItCountsThatOne) {
  MakeFile("a", "12");
  MakeFile("b", "1234");
  EXPECT_EQ(Counted("b").numbers(), (Numbers{.going = 1, .left = 4, .size = 4}));
}

TEST_F(BacklogTest, WithoutAPathThereIsNothingToCount) {
  Backlog backlog(reporter_, "no/such");
  EXPECT_EQ(CodeOf(backlog.CountAnew()), ENOENT);
}

TEST_F(BacklogTest, WhatChangesWithoutItsRowIsFoundByAndBy) {
  std::vector<InodeId> inodes;
  for (int i = 0; i < 10; ++i) inodes.push_back(MakeFile("f" + std::to_string(i), "1"));
  auto backlog = Counted();
  for (auto const inode : inodes) Become(inode, Content::kUploaded);  // and nobody says so
  EXPECT_EQ(backlog.numbers().going, 10U);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Ok(backlog.LookAtSome(1)));
  EXPECT_EQ(backlog.numbers(), Numbers{});
  EXPECT_TRUE(Ok(backlog.LookAtSome(1))) << "of nothing there is nothing to look at";
}

}  // namespace
}  // namespace tusfs
