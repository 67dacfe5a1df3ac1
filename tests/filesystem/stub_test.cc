// Stubs: uploaded files whose bytes only the server has. What they show, how they are read, and how
// they get their bytes back.
#include <gmock/gmock.h>

#include <algorithm>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::Contains;

class StubTest : public FilesystemRig {
 protected:
  StubTest() {
    remote_.restore_ = [this](InodeId inode, std::string const& bytes) {
      return Restore(inode, bytes);
    };
  }

  /// An uploaded file that the spool has let go of.
  InodeId MakeStub(std::string const& name, std::string const& bytes) {
    auto const inode = MakeFile(name, bytes);
    GiveUpload(inode, bytes.size(), UploadPhase::kComplete);
    ChangeRow(inode, [](Inode& row) {
      row.content = Content::kUploaded;
      row.kept_at = 1;
    });
    remote_.bytes_[inode] = bytes;
    auto const evicted = fs_->shrinker().Evict(inode);
    EXPECT_TRUE(Ok(evicted));
    EXPECT_TRUE(evicted.value_or(false));
    EXPECT_TRUE(Ok(store_->Sync()));
    EXPECT_TRUE(tusfs_testing::WaitFor([&] { return SpoolFiles() == 0; }));
    return inode;
  }

  /// As the read-back of the real server does.
  Result<void> Restore(InodeId inode, std::string const& bytes) {
    auto const id = store_->Update(
        [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
    auto const version = spool_->Create(*id);
    if (auto written = (*version)->Write(0, std::as_bytes(std::span(bytes))); !written) {
      return Failure(written.error());
    }
    ChangeRow(inode, [&](Inode& row) { row.version = *id; });
    return {};
  }

  Result<std::size_t> TryRead(HandleId handle) {
    std::vector<std::byte> buffer(100);
    return fs_->Read(handle, 0, buffer);
  }
};

TEST_F(StubTest, ShowsWhatItShowedBefore) {
  auto const inode = MakeFile("f", "12345");
  auto const before = Stat(inode);
  GiveUpload(inode, 5, UploadPhase::kComplete);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  ASSERT_TRUE(fs_->shrinker().Evict(inode).value_or(false));
  auto const after = Stat(inode);
  EXPECT_EQ(after.size, 5U);
  EXPECT_EQ(after.modified, before.modified);
  EXPECT_EQ(after.changed, before.changed);
  EXPECT_EQ(after.mode, before.mode);
}

TEST_F(StubTest, IsReadFromTheServer) {
  auto const inode = MakeStub("f", "12345");
  auto const handle = Open(inode, O_RDONLY);
  remote_.arrived_ = false;
  EXPECT_EQ(CodeOf(TryRead(handle)), EAGAIN);
  remote_.arrived_ = true;
  EXPECT_EQ(Read(handle), "12345");
  EXPECT_EQ(Read(handle, 3), "45");
  EXPECT_EQ(Read(handle, 5), "");
  Close(handle);
  EXPECT_THAT(remote_.closed_, Contains(inode));
  EXPECT_EQ(SpoolFiles(), 0U);
}

TEST_F(StubTest, HasNoHolesThatAnybodyKnowsOf) {
  auto const handle = Open(MakeStub("f", "12345"), O_RDONLY);
  EXPECT_EQ(fs_->Seek(handle, 2, SEEK_DATA).value_or(0), 2U);
  EXPECT_EQ(fs_->Seek(handle, 2, SEEK_HOLE).value_or(0), 5U);
  EXPECT_EQ(CodeOf(fs_->Seek(handle, 5, SEEK_DATA)), ENXIO);
  EXPECT_TRUE(Ok(fs_->Sync(handle)));
}

TEST_F(StubTest, OpenedForWritingItGetsItsBytesBackFirst) {
  auto const inode = MakeStub("f", "12345");
  remote_.arrived_ = false;
  EXPECT_EQ(CodeOf(fs_->Open(me_, inode, O_WRONLY)), EAGAIN);
  remote_.arrived_ = true;
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 5, "67");
  Close(handle);
  EXPECT_EQ(BytesOf(inode), "1234567");
  EXPECT_EQ(Row(inode).content, Content::kSettling);
}

TEST_F(StubTest, OpenedForWritingWithoutAServerItFailsAndStaysAsItIs) {
  auto const inode = MakeStub("f", "12345");
  remote_.bytes_.clear();
  EXPECT_EQ(CodeOf(fs_->Open(me_, inode, O_WRONLY)), EIO);
  EXPECT_EQ(Row(inode).content, Content::kUploaded);
  EXPECT_EQ(Stat(inode).size, 5U);
}

TEST_F(StubTest, EmptiedItNeedsNoBytes) {
  remote_.arrived_ = false;
  auto const opened = MakeStub("opened", "12345");
  auto const handle = Open(opened, O_WRONLY | O_TRUNC);
  Write(handle, 0, "new");
  Close(handle);
  EXPECT_EQ(BytesOf(opened), "new");
  auto const truncated = MakeFile("other", "12345");
  GiveUpload(truncated, 5, UploadPhase::kComplete);
  ChangeRow(truncated, [](Inode& row) { row.content = Content::kUploaded; });
  ASSERT_TRUE(fs_->shrinker().Evict(truncated).value_or(false));
  SetSize(truncated, 0);
  EXPECT_EQ(BytesOf(truncated), "");
}

TEST_F(StubTest, TruncatedToLessItGetsItsBytesBackFirst) {
  auto const inode = MakeStub("f", "12345");
  AttributeChange change;
  change.size = 3;
  remote_.arrived_ = false;
  EXPECT_EQ(CodeOf(fs_->SetAttributes(me_, inode, change, 0)), EAGAIN);
  EXPECT_EQ(Stat(inode).size, 5U);
  remote_.arrived_ = true;
  SetSize(inode, 3);
  EXPECT_EQ(BytesOf(inode), "123");
}

TEST_F(StubTest, AReaderSeesTheBytesThatAWriterHasBroughtBack) {
  auto const inode = MakeStub("f", "12345");
  auto const reader = Open(inode, O_RDONLY);
  auto const writer = Open(inode, O_WRONLY);
  Write(writer, 0, "X");
  EXPECT_EQ(Read(reader), "X2345");
}

TEST_F(StubTest, AnEmptyOneNeedsNoServer) {
  auto const inode = MakeFile("empty");
  GiveUpload(inode, 0, UploadPhase::kComplete);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  ASSERT_TRUE(fs_->shrinker().Evict(inode).value_or(false));
  EXPECT_EQ(BytesOf(inode), "");
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 0, "now");
  Close(handle);
  EXPECT_EQ(BytesOf(inode), "now");
}

TEST_F(StubTest, WhatAnEmptyOneBecomesIsNotWhatWasUploaded) {
  for (auto const* name : {"written", "longer", "opened"}) {
    auto const inode = MakeFile(name);
    GiveUpload(inode, 0, UploadPhase::kComplete);
    ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
    ASSERT_TRUE(fs_->shrinker().Evict(inode).value_or(false));
  }
  auto const written = InodeOf("written");
  auto const handle = Open(written, O_WRONLY);
  Write(handle, 0, "now");
  Close(handle);
  EXPECT_TRUE(Row(written).upload.IsNil());
  auto const longer = InodeOf("longer");
  SetSize(longer, 3);
  EXPECT_TRUE(Row(longer).upload.IsNil());
  auto const opened = InodeOf("opened");
  Close(Open(opened, O_WRONLY));
  EXPECT_FALSE(Row(opened).upload.IsNil());
  EXPECT_EQ(Row(opened).content, Content::kUploaded);
}

TEST_F(StubTest, OutlivesTheDaemonWhileItIsOpenAndTheMount) {
  auto const inode = MakeStub("f", "12345");
  auto const handle = Open(inode, O_RDONLY);
  DaemonDies();
  EXPECT_EQ(Read(handle), "12345");
  Remount();
  EXPECT_EQ(BytesOf(inode), "12345");
  Remount("second boot");
  EXPECT_EQ(Stat(inode).size, 5U);
  EXPECT_EQ(BytesOf(inode), "12345");
}

TEST_F(StubTest, IsRenamedLinkedAndRemovedLikeOthers) {
  auto const inode = MakeStub("f", "12345");
  EXPECT_EQ(RenameCode("f", "g"), 0);
  EXPECT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "h")));
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "g")));
  EXPECT_EQ(BytesOf(inode), "12345");
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "h")));
  EXPECT_FALSE(HasRow(inode));
}

TEST_F(StubTest, WithoutTheOptionItSaysWhatWouldHelp) {
  auto const inode = MakeStub("f", "12345");
  Filesystem without(*store_, *spool_, *uploader_, *finishing_, processes_, clock_, connection_,
                     logger_);
  auto const handle = without.Open(me_, inode, O_RDONLY);
  ASSERT_TRUE(Ok(handle));
  std::vector<std::byte> buffer(10);
  auto const read = without.Read(*handle, 0, buffer);
  EXPECT_EQ(CodeOf(read), EIO);
  EXPECT_THAT(read.error().context, testing::HasSubstr("--read-back"));
}

}  // namespace
}  // namespace tusfs
