// Making room: what is let go of, in which order, and what never is.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/block_digest.h"
#include "catalog/check.h"
#include "filesystem/reclaim.h"
#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

class RoomTest : public FilesystemRig {
 protected:
  RoomTest() {
    limits_.size = 16 * kMegabyte;
    Remount();
  }

  InodeId MakeUploaded(std::string const& name, FileTime used, std::uint64_t size = kMegabyte) {
    auto const inode = MakeFile(name, std::string(size, 'x'));
    GiveUpload(inode, size, UploadPhase::kComplete);
    ChangeRow(inode, [&](Inode& row) {
      row.content = Content::kUploaded;
      row.published = row.kept_at = used;
    });
    return inode;
  }

  bool IsHere(InodeId inode) { return Row(inode).version != 0; }

  void Reclaim(ReclaimOptions const& options = {}) {
    Reclaimer reclaimer(*store_, *spool_, fs_->shrinker(), clock_, options, logger_);
    reclaimer.Reclaim();
    EXPECT_TRUE(Ok(store_->Sync()));
  }

  /// An unfinished file of which the server has confirmed `confirmed` bytes.
  Filesystem::Created MakeStreaming(std::string const& name, std::uint64_t size,
                                    std::uint64_t confirmed) {
    auto const created = Create(name);
    Write(created.handle, 0, std::string(size, 's'));
    GiveUpload(created.attributes.inode, confirmed);
    auto const version = spool_->Find(Row(created.attributes.inode).version, size).value();
    EXPECT_TRUE(version->Claim({0, confirmed}));
    return created;
  }
};

TEST_F(RoomTest, NothingGoesWhileThereIsRoom) {
  auto const inode = MakeUploaded("f", 1);
  Reclaim();
  EXPECT_TRUE(IsHere(inode));
}

TEST_F(RoomTest, WhatWasUsedLongestAgoGoesFirst) {
  std::vector<InodeId> files;
  for (FileTime used = 12; used > 0; --used) {
    files.push_back(MakeUploaded("f" + std::to_string(used), used));
  }
  Reclaim();
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return spool_->budget().room() == Room::kPlenty; }));
  EXPECT_TRUE(IsHere(files.front())) << "it was used last";
  EXPECT_FALSE(IsHere(files.back()));
}

TEST_F(RoomTest, NoMoreGoesThanHasTo) {
  std::vector<InodeId> files;
  for (FileTime used = 1; used <= 12; ++used) {
    files.push_back(MakeUploaded("f" + std::to_string(used), used));
  }
  Reclaimer reclaimer(*store_, *spool_, fs_->shrinker(), clock_, {}, logger_);
  for (int rounds = 0; rounds < 5; ++rounds) reclaimer.Reclaim();
  EXPECT_EQ(std::ranges::count_if(files, [&](InodeId file) { return IsHere(file); }), 10);
}

TEST_F(RoomTest, WhatIsOpenOrNotUploadedStays) {
  auto const open = MakeUploaded("open", 1, 4 * kMegabyte);
  auto const handle = Open(open, O_RDONLY);
  auto const settling = MakeFile("settling", std::string(4 * kMegabyte, 'x'));
  auto const interrupted = MakeFile("interrupted", std::string(4 * kMegabyte, 'x'));
  ChangeRow(interrupted, [](Inode& row) { row.content = Content::kInterrupted; });
  Reclaim({.keep = 0});
  EXPECT_TRUE(IsHere(open));
  EXPECT_TRUE(IsHere(settling));
  EXPECT_TRUE(IsHere(interrupted));
  Close(handle);
  Reclaim({.keep = 0});
  EXPECT_FALSE(IsHere(open));
}

TEST_F(RoomTest, OpeningAFileMakesItTheLastToGo) {
  auto const first = MakeUploaded("first", clock_.Wall() - 200'000'000'000);
  auto const second = MakeUploaded("second", clock_.Wall() - 100'000'000'000);
  Close(Open(first, O_RDONLY));
  Reclaim({.keep = kMegabyte});
  EXPECT_TRUE(IsHere(first));
  EXPECT_FALSE(IsHere(second));
}

TEST_F(RoomTest, BytesGoAfterTheCommitThatSaysSo) {
  auto const inode = MakeUploaded("f", 1);
  auto const path = PathOf(inode);
  ASSERT_TRUE(fs_->shrinker().Evict(inode).value_or(false));
  EXPECT_TRUE(Ok(store_->Sync()));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return !std::filesystem::exists(path); }));
}

// ---- unfinished files

TEST_F(RoomTest, ConfirmedBytesOfAnUnfinishedFileStayUnlessSaidOtherwise) {
  auto const file = MakeStreaming("f", 15 * kMegabyte, 12 * kMegabyte);
  Reclaim();
  EXPECT_EQ(Row(file.attributes.inode).trimmed, 0U);
  Reclaim({.keep = {}, .trim = true});
  EXPECT_EQ(Row(file.attributes.inode).trimmed, 12 * kMegabyte);
  EXPECT_EQ(spool_->budget().used(), 3 * kMegabyte);
}

TEST_F(RoomTest, WholeDigestBlocksGo) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 7 * kMegabyte);
  EXPECT_EQ(fs_->shrinker().Trim(file.attributes.inode).value_or(0), kDigestBlock);
  EXPECT_EQ(fs_->shrinker().Trim(file.attributes.inode).value_or(1), 0U) << "no more than there is";
}

TEST_F(RoomTest, WhatWasTrimmedIsNotReadNotChangedAndTheFileGoesOn) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 8 * kMegabyte);
  auto const inode = file.attributes.inode;
  ASSERT_EQ(fs_->shrinker().Trim(inode).value_or(0), 8 * kMegabyte);
  auto const reader = Open(inode, O_RDONLY);
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(CodeOf(fs_->Read(reader, 0, buffer)), EIO);
  EXPECT_EQ(Read(reader, 8 * kMegabyte, 3), "sss");
  EXPECT_EQ(CodeOf(fs_->Write(me_, file.handle, 0, buffer)), EIO);
  Write(file.handle, 13 * kMegabyte, "end");
  EXPECT_EQ(Stat(inode).size, 13 * kMegabyte + 3);
}

TEST_F(RoomTest, WhatWasTrimmedIsNoHole) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 8 * kMegabyte);
  ASSERT_EQ(fs_->shrinker().Trim(file.attributes.inode).value_or(0), 8 * kMegabyte);
  EXPECT_EQ(fs_->Seek(file.handle, 0, SEEK_DATA).value_or(1), 0U);
  EXPECT_EQ(fs_->Seek(file.handle, kMegabyte, SEEK_DATA).value_or(0), kMegabyte);
  EXPECT_EQ(fs_->Seek(file.handle, 0, SEEK_HOLE).value_or(0), 13 * kMegabyte);
}

TEST_F(RoomTest, OnceTheCatalogSaysThatItIsTrimmedWhatWasSentStaysAsItIs) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 8 * kMegabyte);
  // As in the moment between the commit and the disk.
  ChangeRow(file.attributes.inode, [](Inode& row) { row.trimmed = 8 * kMegabyte; });
  std::vector<std::byte> const bytes(10);
  EXPECT_EQ(CodeOf(fs_->Write(me_, file.handle, 0, bytes)), EIO);
  EXPECT_FALSE(Row(file.attributes.inode).upload.IsNil()) << "it still has its upload";
}

TEST_F(RoomTest, ASuccessorKnowsWhatWasTrimmed) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 8 * kMegabyte);
  ASSERT_EQ(fs_->shrinker().Trim(file.attributes.inode).value_or(0), 8 * kMegabyte);
  DaemonDies();
  std::vector<std::byte> buffer(10);
  auto const reader = Open(file.attributes.inode, O_RDONLY);
  EXPECT_EQ(CodeOf(fs_->Read(reader, 0, buffer)), EIO);
  EXPECT_EQ(Read(reader, 8 * kMegabyte, 3), "sss");
}

TEST_F(RoomTest, EmptyingATrimmedFileBeginsANewOne) {
  auto const file = MakeStreaming("f", 13 * kMegabyte, 8 * kMegabyte);
  ASSERT_EQ(fs_->shrinker().Trim(file.attributes.inode).value_or(0), 8 * kMegabyte);
  SetSize(file.attributes.inode, 0);
  Write(file.handle, 0, "new");
  EXPECT_EQ(BytesOf(file.attributes.inode), "new");
}

// ---- writers and room

TEST_F(RoomTest, AWriterWaitsWhenTheSpoolIsFullAndIsToldWhenItStays) {
  auto const other = Create("other");
  Write(other.handle, 0, std::string(10 * kMegabyte, 'x'));
  auto const file = Create("f");
  std::string const bytes(6 * kMegabyte, 'x');
  auto const turn = fs_->Write(me_, file.handle, 0, std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(Ok(turn));
  EXPECT_EQ(*turn, Turn::kWait);
  EXPECT_EQ(fs_->AskTurn(file.handle, 0).value_or(Turn::kGo), Turn::kWait);
  clock_.Advance(turns_.full_timeout);
  EXPECT_EQ(CodeOf(fs_->AskTurn(file.handle, 0)), ENOSPC);
  EXPECT_EQ(Stat(file.attributes.inode).size, 0U) << "whoever appends again has it once";
  Close(file.handle);
  EXPECT_EQ(Row(file.attributes.inode).content, Content::kInterrupted)
      << "its writer was told that the write failed";
}

TEST_F(RoomTest, AllocatingMoreThanThereIsFailsAndTakesNothing) {
  auto const file = Create("f");
  EXPECT_EQ(CodeOf(fs_->Allocate(me_, file.handle, 0, 0, 17 * kMegabyte)), ENOSPC);
  EXPECT_EQ(spool_->budget().used(), 0U);
  EXPECT_TRUE(Ok(fs_->Allocate(me_, file.handle, 0, 0, 2 * kMegabyte)));
}

TEST_F(RoomTest, SpaceIsThatOfTheBudget) {
  auto const file = Create("f");
  Write(file.handle, 0, std::string(4 * kMegabyte, 'x'));
  auto const space = fs_->MeasureSpace();
  ASSERT_TRUE(Ok(space));
  EXPECT_EQ(space->capacity, 16 * kMegabyte);
  EXPECT_EQ(space->free, 12 * kMegabyte);
  MakeUploaded("uploaded", 1, 2 * kMegabyte);
  Reclaim();
  EXPECT_EQ(fs_->MeasureSpace()->free, 12 * kMegabyte) << "it can go at once";
}

// ---- names

TEST_F(RoomTest, NamesOfWhatWasUploadedLongAgoGo) {
  auto const old = MakeUploaded("old", clock_.Wall() - 10'000'000'000);
  auto const young = MakeUploaded("young", clock_.Wall());
  auto const open = MakeUploaded("open", clock_.Wall() - 10'000'000'000);
  auto const unfinished = MakeFile("unfinished", "x");
  Open(open, O_RDONLY);
  EXPECT_TRUE(Ok(fs_->Link(me_, old, kRootInode, "second name")));
  Reclaimer reclaimer(*store_, *spool_, fs_->shrinker(), clock_,
                      {.keep = {}, .trim = false, .retention = std::chrono::seconds(5)}, logger_);
  reclaimer.ExpireNames();
  EXPECT_FALSE(HasRow(old));
  EXPECT_EQ(LookupCode("second name"), ENOENT);
  for (auto const inode : {young, open, unfinished}) EXPECT_TRUE(HasRow(inode));
}

TEST_F(RoomTest, WhatIsNotUploadedCanBeDiscarded) {
  auto const file = Create("f");
  Write(file.handle, 0, "half");
  EXPECT_TRUE(fs_->shrinker().Discard(file.attributes.inode).value_or(false));
  EXPECT_EQ(LookupCode("f"), ENOENT);
  Close(file.handle);
  EXPECT_FALSE(HasRow(file.attributes.inode));
  EXPECT_FALSE(fs_->shrinker().Discard(MakeUploaded("uploaded", 1)).value_or(true));
}

// ---- full of what does not go by itself

class StuckTest : public RoomTest {
 protected:
  /// Of `size` megabytes, whose writer failed.
  InodeId MakeInterrupted(std::string const& name, std::uint64_t size) {
    auto const inode = MakeFile(name, std::string(size * kMegabyte, 'x'));
    clock_.Advance(std::chrono::seconds(1));
    ChangeRow(inode, [&](Inode& row) {
      row.content = Content::kInterrupted;
      row.changed = clock_.Wall();
    });
    return inode;
  }
  /// What a first look finds is a change, after which things may be better.
  void LookTwice(ReclaimOptions const& options = {}) {
    Reclaim(options);
    Reclaim(options);
  }
  /// Whether a writer who comes now goes on.
  Result<Turn> Come(HandleId handle) {
    return fs_->Write(me_, handle, 0, std::as_bytes(std::span("more")));
  }
};

TEST_F(StuckTest, AWriterIsToldAtOnceAndWhatKeepsTheRoomStays) {
  auto const older = MakeInterrupted("older", 8);
  auto const younger = MakeInterrupted("younger", 8);
  LookTwice();
  EXPECT_EQ(spool_->budget().stuck(), 16 * kMegabyte);
  auto const file = Create("f");
  auto const told = Come(file.handle);
  EXPECT_EQ(CodeOf(told), ENOSPC);
  EXPECT_THAT(told.error().context, testing::HasSubstr("tusfsctl list"));
  EXPECT_TRUE(HasRow(older) && HasRow(younger));
  auto const status = Reporter(*store_, *spool_, *uploader_, *finishing_).Status();
  ASSERT_TRUE(Ok(status));
  EXPECT_EQ(status->interrupted, 16 * kMegabyte);
  EXPECT_EQ(status->oldest_interrupted, "older");
}

TEST_F(StuckTest, AWriteThatFailsInTheEndIsTakenBackUnlessOthersWroteBehindIt) {
  MakeInterrupted("one", 8);
  MakeInterrupted("two", 8);
  auto const file = Create("f");
  EXPECT_EQ(Come(file.handle), Turn::kWait);
  auto const behind = fs_->Write(me_, file.handle, 5, std::as_bytes(std::span("behind")));
  EXPECT_EQ(behind, Turn::kWait);
  auto const size = Stat(file.attributes.inode).size;
  LookTwice();
  EXPECT_EQ(CodeOf(fs_->AskTurn(file.handle, 0)), ENOSPC);
  EXPECT_EQ(Stat(file.attributes.inode).size, size);
  EXPECT_EQ(CodeOf(fs_->AskTurn(file.handle, 5)), ENOSPC);
  EXPECT_LT(Stat(file.attributes.inode).size, size);
}

TEST_F(StuckTest, AWriterWhoTriesAgainUnderOneNameAfterAnotherTakesNoRoom) {
  MakeInterrupted("one", 8);
  MakeInterrupted("two", 8);
  for (int tries = 0; tries < 3; ++tries) {
    LookTwice();
    auto const file = Create("f" + std::to_string(tries));
    EXPECT_EQ(CodeOf(Come(file.handle)), ENOSPC);
    EXPECT_EQ(Stat(file.attributes.inode).size, 0U);
    Close(file.handle);
    EXPECT_EQ(Row(file.attributes.inode).content, Content::kInterrupted);
  }
  EXPECT_EQ(spool_->budget().used(), 16 * kMegabyte);
}

TEST_F(StuckTest, ByRuleTheOldestGoesWhenSomebodyWaits) {
  auto const older = MakeInterrupted("older", 8);
  auto const younger = MakeInterrupted("younger", 8);
  Reclaim({.drop_interrupted = true});
  EXPECT_TRUE(HasRow(older)) << "nobody needs its room yet";
  auto const file = Create("f");
  EXPECT_EQ(Come(file.handle), Turn::kWait);
  Reclaim({.drop_interrupted = true});
  EXPECT_FALSE(HasRow(older));
  EXPECT_EQ(LookupCode("older"), ENOENT);
  EXPECT_TRUE(HasRow(younger));
  EXPECT_EQ(fs_->AskTurn(file.handle, 0), Turn::kGo);
  auto const status = Reporter(*store_, *spool_, *uploader_, *finishing_).Status();
  EXPECT_EQ(status->dropped_files, 1U);
  EXPECT_EQ(status->dropped_bytes, 8 * kMegabyte);
}

TEST_F(StuckTest, WhatIsOpenOrPartlyOnTheServerOnlyIsNotGivenUp) {
  auto const open = MakeInterrupted("open", 8);
  auto const trimmed = MakeInterrupted("trimmed", 8);
  GiveUpload(trimmed, 8 * kMegabyte);
  ChangeRow(trimmed, [](Inode& row) { row.trimmed = 4 * kMegabyte; });
  auto const reader = Open(open, O_RDONLY);
  auto const file = Create("f");
  EXPECT_EQ(Come(file.handle), Turn::kWait);
  LookTwice({.drop_interrupted = true});
  EXPECT_TRUE(HasRow(open) && HasRow(trimmed));
  EXPECT_EQ(CodeOf(fs_->AskTurn(file.handle, 0)), ENOSPC);
  EXPECT_TRUE(Ok(fs_->Release(reader)));
}

TEST_F(StuckTest, AWriterWaitsForWhatGoesByItself) {
  MakeInterrupted("interrupted", 8);
  auto const queued = MakeFile("queued", std::string(8 * kMegabyte, 'x'));
  ChangeRow(queued, [](Inode& row) { row.content = Content::kFinished; });
  auto const file = Create("f");
  EXPECT_EQ(Come(file.handle), Turn::kWait);
  Reclaim();
  EXPECT_EQ(fs_->AskTurn(file.handle, 0), Turn::kWait);
  GiveUpload(queued, 0, UploadPhase::kRefused);
  LookTwice();
  EXPECT_EQ(CodeOf(fs_->AskTurn(file.handle, 0)), ENOSPC) << "the server does not want it";
}

// Its names go one after another in one operation, each of which may be in a directory of its own.
TEST_F(RoomTest, AnOpenFileOfManyNamesIsDiscardedWithAllOfThem) {
  auto const directory = MakeDir("directory");
  for (auto const elsewhere : {kRootInode, directory}) {
    for (int names = 2; names <= 4; ++names) {
      auto const file = Create("f");
      Write(file.handle, 0, "half");
      for (int name = 1; name < names; ++name) {
        auto const parent = name % 2 == 0 ? kRootInode : elsewhere;
        ASSERT_TRUE(Ok(fs_->Link(me_, file.attributes.inode, parent, std::to_string(name))));
      }
      EXPECT_TRUE(fs_->shrinker().Discard(file.attributes.inode).value_or(false));
      EXPECT_TRUE(Ok(CheckCatalog(*store_)));
      EXPECT_EQ(Row(file.attributes.inode).parent, 0U);
      DaemonDies();
      EXPECT_TRUE(Ok(CheckCatalog(*store_)));
      Remount();
      EXPECT_TRUE(Ok(CheckCatalog(*store_)));
      EXPECT_FALSE(HasRow(file.attributes.inode));
      EXPECT_EQ(LookupCode("f"), ENOENT);
    }
  }
}

TEST_F(RoomTest, ACatalogOfTheReleaseBeforeLearnsWhatItKeeps) {
  auto const inode = MakeUploaded("f", 0);
  Reclaimer reclaimer(*store_, *spool_, fs_->shrinker(), clock_, {.keep = 0}, logger_);
  reclaimer.Start();
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return !IsHere(inode); }));
}

}  // namespace
}  // namespace tusfs
