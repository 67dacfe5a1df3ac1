// EndConnection: what an orderly end keeps, on whatever boot the next mount is.
#include "filesystem/orderly_end.h"

#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class OrderlyEndTest : public FilesystemRig {
 protected:
  void End(HandlesLeft left) {
    StopThreads();
    EXPECT_TRUE(Ok(EndConnection(*store_, *spool_,
                                 {.handles = left, .publish_unknown = rules_.publish_unknown})));
  }

  void EndAndReboot(HandlesLeft left = HandlesLeft::kClosed) {
    End(left);
    Remount(kNextBoot);
  }
};

TEST_F(OrderlyEndTest, AClosedFileGoesOnSettlingOnAnotherBootWithEveryByteAndItsUpload) {
  auto const inode = MakeFile("a", "12345");
  auto const upload = GiveUpload(inode, 4);
  EndAndReboot();
  EXPECT_EQ(Row(inode).content, Content::kSettling);
  EXPECT_EQ(Row(inode).synced_size, 5U);
  EXPECT_TRUE(Row(inode).synced);
  EXPECT_EQ(Row(inode).upload, upload);
  EXPECT_EQ(BytesOf(inode), "12345");
}

TEST_F(OrderlyEndTest, FilesThatWaitKeepTheirBytesAndWhatWasSaidOfThem) {
  auto const temporary = MakeFile("clip.part", "12345");
  auto const interrupted = MakeFile("cut", "123");
  ChangeRow(interrupted, [](Inode& row) {
    row.content = Content::kInterrupted;
    row.reason = "killed";
  });
  auto const approved = MakeFile("first", "1234");
  ASSERT_EQ(RenameCode("first", "second"), 0);
  ChangeRow(approved, [](Inode& row) { row.approved = true; });
  EndAndReboot();
  EXPECT_EQ(Row(temporary).content, Content::kSettling);
  EXPECT_EQ(BytesOf(temporary), "12345");
  EXPECT_EQ(Row(interrupted).content, Content::kInterrupted);
  EXPECT_EQ(Row(interrupted).reason, "killed");
  EXPECT_EQ(BytesOf(interrupted), "123");
  EXPECT_TRUE(Row(approved).approved);
  EXPECT_TRUE(Row(approved).renamed);
}

TEST_F(OrderlyEndTest, AFileThatWasRewrittenInPlaceIsWholeAgain) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 0, "ABC");
  Close(created.handle);
  EndAndReboot();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
  EXPECT_EQ(Row(created.attributes.inode).rewrite, Rewrite::kNone);
  EXPECT_EQ(BytesOf(created.attributes.inode), "ABC45");
}

TEST_F(OrderlyEndTest, ManyFilesAllGoOn) {
  std::vector<InodeId> files;
  for (int i = 0; i < 300; ++i) files.push_back(MakeFile(std::to_string(i), "12345"));
  EndAndReboot();
  for (auto const file : files) {
    EXPECT_EQ(Row(file).content, Content::kSettling);
    EXPECT_EQ(Row(file).size, 5U);
  }
}

TEST_F(OrderlyEndTest, ItCountsForItsOwnConnectionOnly) {
  EndAndReboot();
  auto const inode = MakeFile("a", "12345");
  Remount("third boot");
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(inode).size, 0U);
}

TEST_F(OrderlyEndTest, NobodyGoesOnWithAConnectionThatHasEnded) {
  End(HandlesLeft::kClosed);
  Unmount();
  OpenState();
  EXPECT_EQ(CodeOf(Resume(*store_, OptionsOfRecovery(), connection_)), ESTALE);
}

// ---- nobody had anything open: releases that the kernel has not told of

TEST_F(OrderlyEndTest, AFileWhoseLastCloseWasCleanSettlesWhoeverMadeIt) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345", &other_);
  Flush(created.handle, &other_);
  EndAndReboot();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345");
  EXPECT_TRUE(store_->Read([](View const& view) { return ListHandles(view); }).value().empty());
}

TEST_F(OrderlyEndTest, AFileThatWasMadeEmptyAndClosedSettles) {
  auto const created = Create("a");
  Flush(created.handle);
  EndAndReboot();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
}

TEST_F(OrderlyEndTest, AFileWhoseWriterWasKilledIsInterruptedForThatReason) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  processes_.Kill(me_.pid);
  Flush(created.handle);
  EndAndReboot();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345");
}

TEST_F(OrderlyEndTest, AFileThatWasWrittenAfterItsLastCloseIsInterrupted) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Flush(created.handle);
  Write(created.handle, 5, "678");
  EndAndReboot();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345678");
}

// ---- all closes were told of

TEST_F(OrderlyEndTest, AFileThatIsStillOpenIsInterruptedWhateverAChildsCloseSaid) {
  auto const created = Create("a");
  Write(created.handle, 0, "half", &other_);
  Flush(created.handle, &other_);
  EndAndReboot(HandlesLeft::kOpen);
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("still open"));
  EXPECT_EQ(BytesOf(created.attributes.inode), "half");
  EXPECT_FALSE(Row(created.attributes.inode).IsCut());
}

TEST_F(OrderlyEndTest, AFileThatSomebodyElseHasOpenForWritingIsInterrupted) {
  auto const created = Create("a");
  Open(created.attributes.inode, O_WRONLY, &other_);
  Write(created.handle, 0, "header");
  Close(created.handle);
  EndAndReboot(HandlesLeft::kOpen);
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
}

TEST_F(OrderlyEndTest, AReaderHoldsNothingUp) {
  auto const inode = MakeFile("a", "12345");
  Open(inode, O_RDONLY);
  EndAndReboot(HandlesLeft::kOpen);
  EXPECT_EQ(Row(inode).content, Content::kSettling);
}

// ---- what goes

TEST_F(OrderlyEndTest, WhatHasNoNameGoes) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  End(HandlesLeft::kOpen);
  EXPECT_FALSE(HasRow(created.attributes.inode));
  Unmount();
  EXPECT_EQ(SpoolFiles(), 0U);
}

TEST_F(OrderlyEndTest, AFileWhoseBytesAreGoneFailsAndSaysSo) {
  auto const inode = MakeFile("a", "12345");
  auto const path = PathOf(inode);
  Unmount();
  std::filesystem::remove(path);
  Mount();
  End(HandlesLeft::kClosed);
  EXPECT_EQ(Row(inode).content, Content::kFailed);
  EXPECT_THAT(Row(inode).reason, testing::Not(IsEmpty()));
}

TEST_F(OrderlyEndTest, AFileThatTheSpoolHasLessOfFailsAndSaysSo) {
  auto const inode = MakeFile("a", "12345");
  auto const path = PathOf(inode);
  Unmount();
  std::filesystem::resize_file(path, 3);
  Mount();
  End(HandlesLeft::kClosed);
  EXPECT_EQ(Row(inode).content, Content::kFailed);
  EXPECT_THAT(Row(inode).reason, HasSubstr("3 bytes of its 5"));
}

}  // namespace
}  // namespace tusfs
