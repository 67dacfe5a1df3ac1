// Files that are written over in place when the power is cut: the disk may have some of the new
// bytes, and the catalog must not call these what it knew of the old ones.
#include <gmock/gmock.h>

#include <filesystem>

#include "catalog/store_harness.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

class RewriteTest : public FilesystemRig {
 protected:
  RewriteTest() {
    store_options_ = OnlyWhenAsked();
    Remount();
  }

  /// A file of ten bytes on disk, of which the durable catalog says `content`.
  InodeId MakeSynced(Content content) {
    auto const inode = MakeFile("f", "old bytes!");
    auto const handle = Open(inode, O_RDONLY);
    EXPECT_TRUE(Ok(fs_->Sync(handle)));
    EXPECT_TRUE(Ok(fs_->Release(handle)));
    ChangeRow(inode, [&](Inode& row) { row.content = content; });
    EXPECT_TRUE(Ok(store_->Sync()));
    return inode;
  }

  /// Every byte that was written has reached the disk, of the catalog what had to.
  void CutPower() {
    CopyAsAfterPowerCut(*store_, dir_ / "catalog", dir_ / "durable");
    Unmount();
    std::filesystem::remove_all(dir_ / "catalog");
    std::filesystem::rename(dir_ / "durable", dir_ / "catalog");
    Mount("boot " + std::to_string(++boots_));
  }

  void ExpectTorn(InodeId inode) {
    EXPECT_EQ(Row(inode).content, Content::kInterrupted);
    EXPECT_THAT(Row(inode).reason, HasSubstr("partly old and partly new"));
    PublishRules rules;
    rules.publish_interrupted = true;
    EXPECT_FALSE(rules.Settles(Row(inode))) << "nor is it published as far as it was written";
  }

  int boots_ = 0;
};

class RewriteOf : public RewriteTest, public testing::WithParamInterface<Content> {};

TEST_P(RewriteOf, ByAWriteIsKnownBeforeTheFirstByteChanges) {
  auto const inode = MakeSynced(GetParam());
  Write(Open(inode, O_WRONLY), 0, "new");
  CutPower();
  ExpectTorn(inode);
}

TEST_P(RewriteOf, ByAHoleIsKnownBeforeTheFirstByteChanges) {
  auto const inode = MakeSynced(GetParam());
  auto const handle = Open(inode, O_WRONLY);
  auto const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  ASSERT_TRUE(Ok(fs_->Allocate(me_, handle, mode, 2, 3)));
  CutPower();
  ExpectTorn(inode);
}

TEST_P(RewriteOf, ByOneWhoGoesOnAfterAnAppendIsKnownToo) {
  auto const inode = MakeSynced(GetParam());
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 10, "more");
  Write(handle, 0, "new");
  CutPower();
  ExpectTorn(inode);
}

TEST_P(RewriteOf, ByTwoWritersIsKnownBeforeTheFirstByteChanges) {
  auto const inode = MakeSynced(GetParam());
  auto const first = Open(inode, O_WRONLY);
  Write(first, 10, "more");
  auto const second = Open(inode, O_WRONLY, &other_);
  Write(second, 14, "more", &other_);
  Write(first, 3, "new");
  CutPower();
  ExpectTorn(inode);
}

TEST_P(RewriteOf, AfterACutToLessLeavesWhatIsWhole) {
  auto const inode = MakeSynced(GetParam());
  SetSize(inode, 4);
  Write(Open(inode, O_WRONLY), 4, "new");
  CutPower();
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(inode).size, 4U);
}

std::string NameOf(testing::TestParamInfo<Content> const& info) {
  switch (info.param) {
    case Content::kSettling:
      return "Settling";
    case Content::kFinished:
      return "Finished";
    case Content::kInterrupted:
      return "Interrupted";
    default:
      return "Uploaded";
  }
}

INSTANTIATE_TEST_SUITE_P(Files, RewriteOf,
                         testing::Values(Content::kSettling, Content::kFinished,
                                         Content::kInterrupted, Content::kUploaded),
                         NameOf);

TEST_F(RewriteTest, BytesThatAreOnlyAddedLeaveWhatWasFinishedFinished) {
  auto const inode = MakeSynced(Content::kFinished);
  Write(Open(inode, O_WRONLY), 10, "more");
  CutPower();
  EXPECT_EQ(Row(inode).content, Content::kFinished);
  EXPECT_EQ(BytesOf(inode), "old bytes!");
}

TEST_F(RewriteTest, OfAnOpenFileThatWasSyncedKeepsItsSizeAndIsNotPublished) {
  auto const created = Create("f");
  Write(created.handle, 0, "old bytes!");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 2, "new");
  CutPower();
  ExpectTorn(created.attributes.inode);
  EXPECT_EQ(Stat(created.attributes.inode).size, 10U);
}

TEST_F(RewriteTest, OfBytesThatNobodySyncedCostsNothing) {
  auto const created = Create("f");
  ASSERT_TRUE(Ok(store_->Sync()));
  Write(created.handle, 0, "old bytes!");
  Write(created.handle, 0, "new");
  EXPECT_EQ(Row(created.attributes.inode).rewrite, Rewrite::kNone);
  CutPower();
  EXPECT_EQ(Row(created.attributes.inode).size, 0U);
}

TEST_F(RewriteTest, IsMadeDurableOnceForEachTimeThatTheFileIsOpened) {
  auto const inode = MakeSynced(Content::kFinished);
  auto const other = MakeFile("other");
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 0, "new");
  AttributeChange change;
  change.mode = 0600;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, other, change, 0)));
  Write(handle, 1, "newer");
  Write(handle, 0, "newest");
  CutPower();
  EXPECT_EQ(Stat(other).mode, 0644U) << "no write after the first one has synced anything";
}

TEST_F(RewriteTest, OfAFileThatASuccessorGoesOnWithIsKnownAsWell) {
  auto const inode = MakeSynced(Content::kFinished);
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 10, "more");
  DaemonDies();
  Write(handle, 0, "new");
  CutPower();
  ExpectTorn(inode);
}

TEST_F(RewriteTest, TakesTheUploadAwayThatMayHaveBeenPublished) {
  auto const inode = MakeSynced(Content::kFinished);
  auto const upload = GiveUpload(inode, 10, UploadPhase::kFinalSent);
  ASSERT_TRUE(Ok(store_->Sync()));
  Write(Open(inode, O_WRONLY), 0, "new");
  CutPower();
  ExpectTorn(inode);
  EXPECT_NE(Row(inode).upload, upload) << "it would be complete with other bytes";
}

TEST_F(RewriteTest, ThatDidNotHappenLeavesTheUploadThatMayHaveBeenPublished) {
  auto const inode = MakeSynced(Content::kFinished);
  auto const upload = GiveUpload(inode, 10, UploadPhase::kFinalSent);
  Open(inode, O_WRONLY);
  ASSERT_TRUE(Ok(store_->Sync()));
  CutPower();
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(inode).upload, upload) << "it would be published a second time";
}

TEST_F(RewriteTest, IsOverWhenTheFileIsFinished) {
  auto const inode = MakeSynced(Content::kFinished);
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 0, "new");
  Close(handle);
  EXPECT_EQ(Row(inode).rewrite, Rewrite::kBegun);
  ChangeRow(inode, [](Inode& row) { row.approved = true; });  // at once
  StartThreads();
  finishing_->SettleNow(inode);
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Row(inode).content == Content::kFinished; }));
  EXPECT_EQ(Row(inode).rewrite, Rewrite::kNone);
}

TEST_F(RewriteTest, OfAFileThatTheDiskHasFailedLeavesItFailedForTheSameReason) {
  auto const inode = MakeSynced(Content::kFailed);
  ChangeRow(inode, [](Inode& row) { row.reason = "the disk says no"; });
  auto handle = Open(inode, O_WRONLY);
  Write(handle, 0, "new");
  Close(handle);
  EXPECT_EQ(Row(inode).reason, "the disk says no");
  handle = Open(inode, O_WRONLY);
  Write(handle, 0, "new");
  processes_.Kill(me_.pid);
  Close(handle);
  EXPECT_EQ(Row(inode).content, Content::kFailed);
  EXPECT_EQ(Row(inode).reason, "the disk says no");
}

// ---- bytes that only the server has

TEST_F(RewriteTest, AFileWhoseHeadOnlyTheServerHasKeepsItsUploadThroughAPowerCut) {
  auto const created = Create("f");
  Write(created.handle, 0, "0123456789");
  auto const inode = created.attributes.inode;
  auto const upload = GiveUpload(inode, 8);
  ChangeRow(inode, [](Inode& row) { row.trimmed = 4; });
  ASSERT_TRUE(Ok(store_->Sync()));
  CutPower();
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(inode).upload, upload);
  EXPECT_EQ(Row(inode).size, 8U) << "what the server has confirmed is there";
}

}  // namespace
}  // namespace tusfs
