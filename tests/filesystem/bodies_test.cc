// Bodies, and what changes put on record before bytes change.
#include "filesystem/bodies.h"

#include <gmock/gmock.h>

#include "filesystem/changes.h"
#include "filesystem/parts.h"

namespace tusfs {
namespace {

class BodiesTest : public PartsRig {
 protected:
  Result<void> Resize(OpenHandle& handle, std::uint64_t size) {
    MutexLock lock(handle.file->mutex);
    return bodies_.Resize(*handle.file, size);
  }
  Result<void> Restore(ActiveFile& file, Inode inode) {
    MutexLock lock(file.mutex);
    return bodies_.Restore(file, inode);
  }
};

TEST_F(BodiesTest, ANewVersionTakesNoNumberOfBytesThatAreThere) {
  auto const first = bodies_.Make();
  ASSERT_TRUE(Ok(first));
  auto const taken = (*first)->id() + 1;
  ASSERT_TRUE(Ok(spool_->Create(taken)));  // of a catalog that was restored from a copy
  auto const second = bodies_.Make();
  ASSERT_TRUE(Ok(second));
  EXPECT_GT((*second)->id(), taken);
}

TEST_F(BodiesTest, WhatIsDiscardedHasNoFile) {
  auto const version = bodies_.Make();
  ASSERT_TRUE(Ok(version));
  auto const path = PathOfVersion((*version)->id());
  ASSERT_TRUE(std::filesystem::exists(path));
  bodies_.Discard(**version);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(BodiesTest, BytesThatAreMissingAreAnErrorOfTheDisk) {
  auto const inode = MakeFile("f", "bytes");
  spool_->LetGo(Row(inode).version);  // who has it open has its bytes
  std::filesystem::remove(PathOf(inode));
  ActiveFile file(inode);
  EXPECT_EQ(CodeOf(Restore(file, Row(inode))), EIO);
}

TEST_F(BodiesTest, AStubWithoutBytesGetsAnEmptyVersion) {
  auto const inode = MakeFile("f");
  ChangeRow(inode, [](Inode& row) {
    row.content = Content::kUploaded;
    row.version = 0;
  });
  ActiveFile file(inode);
  ASSERT_TRUE(Ok(Restore(file, Row(inode))));
  EXPECT_NE(Row(inode).version, 0U);
  EXPECT_EQ(Row(inode).content, Content::kUploaded) << "nothing has changed yet";
}

TEST_F(BodiesTest, AStubWhoseBytesAreOnTheirWayIsAskedForAgain) {
  auto const inode = MakeFile("f", "bytes");
  ChangeRow(inode, [](Inode& row) {
    row.content = Content::kUploaded;
    row.version = 0;
  });
  ActiveFile file(inode);
  EXPECT_EQ(CodeOf(Restore(file, Row(inode))), EIO) << "nobody has them";
  remote_.bytes_[inode] = "bytes";
  remote_.arrived_ = false;
  EXPECT_EQ(CodeOf(Restore(file, Row(inode))), EAGAIN);
  EXPECT_EQ(Row(inode).version, 0U);
}

TEST_F(BodiesTest, EmptyingBeginsANewVersionAndTheOldOneGoesWhenThatIsDurable) {
  auto const inode = MakeFile("f", "bytes");
  auto const before = Row(inode).version;
  auto const handle = HaveOpen(inode, O_WRONLY);
  ASSERT_TRUE(Ok(Resize(*handle, 0)));
  EXPECT_NE(Row(inode).version, before);
  EXPECT_EQ(Row(inode).size, 0U);
  EXPECT_EQ(Row(inode).content, Content::kWriting);
  EXPECT_TRUE(Ok(store_->Sync()));
  EXPECT_TRUE(
      tusfs_testing::WaitFor([&] { return !std::filesystem::exists(PathOfVersion(before)); }));
}

TEST_F(BodiesTest, AnotherSizeIsTheSameVersionAndEndsWhatWasDecided) {
  auto const inode = MakeFile("f", "bytes");
  ChangeRow(inode, [](Inode& row) { row.approved = row.synced = true; });
  auto const before = Row(inode).version;
  ASSERT_TRUE(Ok(Resize(*HaveOpen(inode, O_WRONLY), 3)));
  EXPECT_EQ(Row(inode).version, before);
  EXPECT_EQ(Row(inode).size, 3U);
  EXPECT_FALSE(Row(inode).approved || Row(inode).synced);
}

TEST_F(BodiesTest, WhatWasDeclaredAndIsPartlyOnTheServerOnlyMayNotChange) {
  auto const inode = MakeFile("f", "bytes");
  auto const upload = GiveUpload(inode, 4);
  ChangeRow(inode, [](Inode& row) { row.trimmed = 4; });
  auto const row = Row(inode);
  auto const check = [&] {
    return CodeOf(store_->Read([&](View const& view) { return CheckChangeable(view, row); }));
  };
  EXPECT_EQ(check(), 0);
  ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
    auto record = FindUpload(transaction, upload);
    (*record)->length = 5;
    PutUpload(transaction, **record);
    return {};
  })));
  EXPECT_EQ(check(), EIO);
}

// ---- changes

class ChangesTest : public PartsRig {
 protected:
  ChangesTest() {
    inode_ = MakeFile("f", "bytes");
    handle_ = HaveOpen(inode_, O_WRONLY);
    observing_ = store_->Observe(
        [this](Table table, std::string_view, std::optional<std::string_view> value) {
          if (table == Table::kHandles && value) ++journaled_;
        });
  }
  ~ChangesTest() override { store_->EndObserving(observing_); }

  /// How many records of the handle a write at byte `offset` puts.
  int Write(Caller const& who, std::uint64_t offset = 5) {
    auto const before = journaled_;
    MutexLock lock(handle_->file->mutex);
    EXPECT_TRUE(Ok(changes_.Begin(*handle_->file, *handle_, who, true, offset)));
    return journaled_ - before;
  }

  Changes changes_{*store_, processes_, logger_};
  InodeId inode_ = 0;
  std::shared_ptr<OpenHandle> handle_;
  int journaled_ = 0;
  std::uint64_t observing_ = 0;
};

TEST_F(ChangesTest, TheFirstIsJournaledAndTheNextAreNot) {
  EXPECT_EQ(Write(me_), 1);
  EXPECT_EQ(Write(me_), 0);
  EXPECT_EQ(Row(inode_).content, Content::kWriting);
  EXPECT_TRUE(handle_->record.changed && handle_->record.wrote && handle_->record.dirty);
}

TEST_F(ChangesTest, EachProcessThatBeginsToWriteIsJournaled) {
  Write(me_);
  EXPECT_EQ(Write(other_), 1);
  EXPECT_EQ(Write(me_), 0);
  EXPECT_THAT(handle_->record.writers, testing::ElementsAre(me_.pid, other_.pid));
}

TEST_F(ChangesTest, TheFirstAfterARenameIsJournaled) {
  Write(me_);
  handle_->file->may_be_renamed = true;
  EXPECT_EQ(Write(me_), 1);
}

TEST_F(ChangesTest, DurableBytesAreWrittenOverAfterTheCatalogSaysSo) {
  ChangeRow(inode_, [](Inode& row) { row.synced_size = row.size; });
  Write(me_, 5);
  EXPECT_EQ(Row(inode_).rewrite, Rewrite::kNone) << "it is behind them";
  Write(me_, 2);
  EXPECT_EQ(Row(inode_).rewrite, Rewrite::kBegun);
}

TEST_F(ChangesTest, AWriteThatFailedIsForgottenWhenItIsDoneAfterAll) {
  Write(me_);
  changes_.NoteFailed(*handle_, 100, Error{ENOSPC, "full"});
  EXPECT_EQ(handle_->record.failed_write, 100U);
  EXPECT_THAT(handle_->record.reason, testing::HasSubstr("full"));
  changes_.NoteWritten(*handle_, 0, 100);
  EXPECT_TRUE(handle_->record.failed_write.has_value()) << "that ends before it";
  changes_.NoteWritten(*handle_, 100, 101);
  EXPECT_FALSE(handle_->record.failed_write.has_value());
}

}  // namespace
}  // namespace tusfs
