// Filesystem: bytes of open files, sizes, times.
#include <gmock/gmock.h>

#include <thread>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tusfs_testing::RandomBytes;
using tusfs_testing::WaitFor;

class Data : public FilesystemRig {
 protected:
  // As the uploader leaves a file that the server has in full.
  void MarkUploaded(InodeId inode) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto row = GetInode(transaction, inode);
      if (!row) return Failure(row.error());
      Upload upload;
      upload.id = Uuid::Random();
      upload.owner = inode;
      upload.version = row->version;
      upload.phase = UploadPhase::kComplete;
      upload.url = "http://tus:1080/files/1";
      upload.offset = upload.frontier = row->size;
      upload.length = row->size;
      row->upload = upload.id;
      row->content = Content::kUploaded;
      row->synced_size = row->size;
      PutUpload(transaction, upload);
      PutInode(transaction, *row);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }
};

TEST_F(Data, WhatIsWrittenIsReadByEverybodyAtOnce) {
  auto const writer = Create("a", O_WRONLY);
  auto const reader = Open(writer.attributes.inode, O_RDONLY);
  Write(writer.handle, 0, "hello");
  Write(writer.handle, 5, " world");
  EXPECT_EQ(Read(reader), "hello world");
  EXPECT_EQ(Read(reader, 6, 3), "wor");
  EXPECT_EQ(Read(reader, 11), "");
  EXPECT_EQ(Read(reader, 1'000'000), "");
  EXPECT_EQ(Stat(writer.attributes.inode).size, 11U);
}

TEST_F(Data, AHoleIsReadAsZeros) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 3, "x");
  EXPECT_EQ(Read(created.handle), std::string("\0\0\0x", 4));
}

TEST_F(Data, HandlesThatAreNotOpenAreBadOnes) {
  std::string byte = "x";
  auto const bytes = std::as_writable_bytes(std::span(byte));
  EXPECT_EQ(CodeOf(fs_->Read(999, 0, bytes)), EBADF);
  EXPECT_EQ(CodeOf(fs_->Write(me_, 999, 0, bytes)), EBADF);
  EXPECT_EQ(CodeOf(fs_->Flush(me_, 999)), EBADF);
  EXPECT_EQ(CodeOf(fs_->Sync(999)), EBADF);
  EXPECT_EQ(CodeOf(fs_->Release(999)), 0) << "an unknown one is closed already";
  auto const reader = Open(MakeFile("a"), O_RDONLY);
  EXPECT_EQ(CodeOf(fs_->Write(me_, reader, 0, bytes)), EBADF);
}

TEST_F(Data, DirectoriesAreNotOpenedAsFiles) {
  EXPECT_EQ(CodeOf(fs_->Open(me_, MakeDir("d"), O_RDONLY)), EISDIR);
  EXPECT_EQ(CodeOf(fs_->Open(me_, 999, O_RDONLY)), ESTALE);
}

TEST_F(Data, HandlesAreNeverGivenTwiceNotAfterARemountEither) {
  auto const first = Create("a").handle;
  EXPECT_TRUE(Ok(fs_->Release(first)));
  auto const second = Create("b").handle;
  EXPECT_GT(second, first);
  Remount();
  EXPECT_GT(Create("c").handle, second);
}

TEST_F(Data, AnUnlinkedFileLivesAsLongAsItIsOpen) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "bytes");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  Write(created.handle, 5, " more");
  EXPECT_EQ(Read(created.handle), "bytes more");
  EXPECT_EQ(Stat(created.attributes.inode).links, 0U);
  SetSize(created.attributes.inode, 2, created.handle);
  EXPECT_EQ(Read(created.handle), "by");
  Close(created.handle);
  EXPECT_FALSE(HasRow(created.attributes.inode));
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 0; }));
}

TEST_F(Data, AFileReplacedByRenameLivesAsLongAsItIsOpen) {
  auto const old = MakeFile("b", "old");
  auto const reader = Open(old, O_RDONLY);
  MakeFile("a", "new");
  ASSERT_EQ(RenameCode("a", "b"), 0);
  EXPECT_EQ(Read(reader), "old");
  EXPECT_TRUE(Ok(fs_->Release(reader)));
  EXPECT_FALSE(HasRow(old));
}

// ---- sizes

TEST_F(Data, TruncationByPathCutsAndGrowsWithZeros) {
  auto const inode = MakeFile("a", "hello");
  SetSize(inode, 2);
  EXPECT_EQ(Stat(inode).size, 2U);
  EXPECT_EQ(BytesOf(inode), "he");
  SetSize(inode, 4);
  EXPECT_EQ(Stat(inode).size, 4U);
  EXPECT_EQ(BytesOf(inode), std::string("he\0\0", 4));
  Remount();
  EXPECT_EQ(Stat(inode).size, 4U);
  EXPECT_EQ(BytesOf(inode), std::string("he\0\0", 4));
}

TEST_F(Data, TruncationThroughAHandleIsSeenByOthers) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "hello");
  auto const reader = Open(created.attributes.inode, O_RDONLY);
  SetSize(created.attributes.inode, 3, created.handle);
  EXPECT_EQ(Read(reader), "hel");
  SetSize(created.attributes.inode, 0, created.handle);
  EXPECT_EQ(Read(reader), "");
  Write(created.handle, 0, "new");
  EXPECT_EQ(Read(reader), "new");
}

TEST_F(Data, TruncationSetsTheTimeEvenToTheSameSize) {
  auto const inode = MakeFile("a", "hello");
  for (std::uint64_t const size : {5U, 3U, 3U, 0U, 0U}) {
    auto const before = Stat(inode).modified;
    clock_.Advance(std::chrono::seconds(1));
    SetSize(inode, size);
    EXPECT_GT(Stat(inode).modified, before) << size;
  }
}

TEST_F(Data, ATruncationThatTheDiskRefusesChangesNothing) {
  auto const inode = MakeFile("a", "hello");
  ChangeRow(inode, [](Inode& row) { row.content = Content::kFinished; });
  AttributeChange change;
  change.size = std::uint64_t{1} << 62;
  EXPECT_FALSE(fs_->SetAttributes(me_, inode, change, 0));
  EXPECT_EQ(Stat(inode).size, 5U);
  EXPECT_EQ(BytesOf(inode), "hello");
}

TEST_F(Data, OpeningWithTruncGivesANewBody) {
  auto const inode = MakeFile("a", "old bytes");
  auto const old = Row(inode).version;
  auto const handle = Open(inode, O_WRONLY | O_TRUNC);
  EXPECT_EQ(Stat(inode).size, 0U);
  Write(handle, 0, "new");
  Close(handle);
  EXPECT_NE(Row(inode).version, old);
  EXPECT_EQ(BytesOf(inode), "new");
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 1; })) << "the old body goes";
}

TEST_F(Data, AReaderSeesTheNewBodyAfterATruncation) {
  auto const inode = MakeFile("a", "old");
  auto const reader = Open(inode, O_RDONLY);
  auto const writer = Open(inode, O_WRONLY | O_TRUNC);
  Write(writer, 0, "fresh");
  EXPECT_EQ(Read(reader), "fresh");
}

// ---- times and attributes

TEST_F(Data, AWriteSetsTheTimesAndAReadDoesNot) {
  auto const created = Create("a", O_RDWR);
  clock_.Advance(std::chrono::seconds(5));
  Write(created.handle, 0, "x");
  auto const written = clock_.Wall();
  clock_.Advance(std::chrono::seconds(5));
  static_cast<void>(Read(created.handle));
  EXPECT_EQ(Stat(created.attributes.inode).modified, written);
  EXPECT_EQ(Stat(created.attributes.inode).changed, written);
  Close(created.handle);
  EXPECT_EQ(Stat(created.attributes.inode).modified, written);
}

TEST_F(Data, TimesThatAreSetStayWhenTheFileIsClosed) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  AttributeChange change;
  change.modified = 1'000'000'000;
  change.accessed = -5;
  auto const set = fs_->SetAttributes(me_, created.attributes.inode, change, created.handle);
  ASSERT_TRUE(Ok(set));
  EXPECT_EQ(set->size, 1U);
  Close(created.handle);
  EXPECT_EQ(Stat(created.attributes.inode).modified, 1'000'000'000);
  EXPECT_EQ(Stat(created.attributes.inode).accessed, -5);
}

TEST_F(Data, AWriteAfterTimesWereSetCounts) {
  auto const created = Create("a");
  AttributeChange change;
  change.modified = 1;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, created.attributes.inode, change, 0)));
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(Stat(created.attributes.inode).modified, clock_.Wall());
}

TEST_F(Data, ModeAndOwnerAreKept) {
  auto const inode = MakeFile("a");
  AttributeChange change;
  change.mode = 0100640;
  change.uid = 5;
  change.gid = 6;
  auto const set = fs_->SetAttributes(me_, inode, change, 0);
  ASSERT_TRUE(Ok(set));
  EXPECT_EQ(set->mode, 0640U);
  Remount();
  EXPECT_EQ(Stat(inode).uid, 5U);
  EXPECT_EQ(Stat(inode).gid, 6U);
}

// ---- uploaded files

TEST_F(Data, AppendingToAnUploadedFileMakesItWorkAgainAndKeepsItsBytes) {
  auto const inode = MakeFile("a", "published");
  MarkUploaded(inode);
  Remount();
  auto const handle = Open(inode, O_WRONLY);
  EXPECT_EQ(Row(inode).content, Content::kUploaded) << "opened is not changed";
  Write(handle, 9, " more");
  EXPECT_EQ(Row(inode).content, Content::kWriting);
  Close(handle);
  EXPECT_EQ(Row(inode).content, Content::kSettling);
  EXPECT_TRUE(Row(inode).upload.IsNil()) << "a new body is a new upload";
  EXPECT_EQ(BytesOf(inode), "published more");
}

TEST_F(Data, OverwritingWhatWasSentTakesTheUploadAway) {
  auto const inode = MakeFile("a", "published");
  MarkUploaded(inode);
  Remount();
  auto const handle = Open(inode, O_RDWR);
  Write(handle, 0, "P");
  EXPECT_TRUE(Row(inode).upload.IsNil());
  EXPECT_EQ(Read(handle), "Published");
}

TEST_F(Data, AChangeBesideWhatWasSentLeavesTheUpload) {
  auto const created = Create("a", O_RDWR);
  auto const inode = created.attributes.inode;
  Write(created.handle, 0, "0123456789");
  auto const upload = GiveUpload(inode, 2);
  auto const version = spool_->Find(Row(inode).version, 10).value();
  ASSERT_TRUE(version->Claim({0, 2}));
  ASSERT_TRUE(version->Claim({6, 8}));
  Write(created.handle, 2, "abcd");
  Write(created.handle, 8, "ef");
  ASSERT_TRUE(
      Ok(fs_->Allocate(me_, created.handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3, 2)));
  SetSize(inode, 8, created.handle);
  EXPECT_EQ(Row(inode).upload, upload);
  SetSize(inode, 7, created.handle);
  EXPECT_TRUE(Row(inode).upload.IsNil()) << "a byte that was sent is gone";
  EXPECT_EQ(Read(created.handle), std::string("01a\0\0d6", 7));
}

TEST_F(Data, RemovingAnUploadedFileLeavesItsUploadToTheIngestAndToACopyOfIt) {
  auto const inode = MakeFile("a", "published");
  MarkUploaded(inode);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  auto const uploads = store_->Read([](View const& view) { return ListUploads(view); }).value();
  for (auto const& upload : uploads) {
    EXPECT_EQ(upload.owner, 0U);
    EXPECT_EQ(upload.phase, UploadPhase::kComplete);
  }
}

// ---- durability

TEST_F(Data, AWriteIsInTheSpoolWhenItReturns) {
  auto const created = Create("a");
  auto const bytes = RandomBytes(10'000);
  Write(created.handle, 0, bytes);
  bool found = false;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(dir_ / "spool")) {
    found = found || (entry.is_regular_file() && tusfs_testing::ReadFile(entry.path()) == bytes);
  }
  EXPECT_TRUE(found);
}

TEST_F(Data, SyncRecordsWhatAPowerCutLeaves) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 5, "678");
  EXPECT_EQ(Row(created.attributes.inode).synced_size, 5U);
  EXPECT_EQ(Row(created.attributes.inode).size, 5U);
}

TEST_F(Data, ATruncationTakesTheSyncedSizeDown) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  SetSize(created.attributes.inode, 2, created.handle);
  Write(created.handle, 2, "abcdef");
  EXPECT_LE(Row(created.attributes.inode).synced_size, 2U);
}

// ---- threads

TEST_F(Data, ManyThreadsWriteTheirOwnPartsOfOneFile) {
  auto const created = Create("a", O_RDWR);
  constexpr std::size_t kPart = 1000;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 50; ++i) {
          Write(created.handle, (i * 8 + t) * kPart,
                std::string(kPart, static_cast<char>('a' + t)));
        }
      });
    }
  }
  auto const bytes = Read(created.handle, 0, 1 << 20);
  ASSERT_EQ(bytes.size(), 400 * kPart);
  for (std::size_t part = 0; part < 400; ++part) {
    EXPECT_EQ(bytes[part * kPart], static_cast<char>('a' + part % 8)) << part;
    EXPECT_EQ(bytes[part * kPart + kPart - 1], static_cast<char>('a' + part % 8)) << part;
  }
}

TEST_F(Data, OneThreadClosesDuplicatesWhileOthersWriteAndRead) {
  auto const created = Create("a", O_RDWR);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 100; ++i) Write(created.handle, 100 * t, std::string(100, 'x'));
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) Flush(created.handle);
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) static_cast<void>(Read(created.handle, 0, 200));
    });
  }
  EXPECT_EQ(Read(created.handle, 0, 300), std::string(200, 'x'));
}

TEST_F(Data, ThreadsThatOpenRenameAndRemoveTheSameNamesDoNoHarm) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        auto const name = "n" + std::to_string((i + t) % 3);
        auto const created = fs_->Create(me_, kRootInode, name, 0644, O_RDWR);
        if (created) {
          Write(created->handle, 0, "x");
          Close(created->handle);
        } else if (auto const found = fs_->Lookup(kRootInode, name)) {
          auto const handle = fs_->Open(me_, found->inode, i % 2 == 0 ? O_RDWR : O_RDWR | O_TRUNC);
          if (handle) Close(*handle);
        }
        static_cast<void>(fs_->Rename(me_, kRootInode, name, kRootInode, "m", 0));
        static_cast<void>(fs_->Unlink(me_, kRootInode, i % 2 == 0 ? "m" : name));
      }
    });
  }
  threads.clear();
  auto names = Names();
  names.erase(names.begin(), names.begin() + 2);
  for (auto const& name : names) EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, name)));
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 0; })) << "every body has gone with its file";
}

// Whoever sends it need not read it for its digests.
TEST_F(Data, WhatWasWrittenInOrderIsStillKnownWhenTheFileIsClosed) {
  auto const inode = MakeFile("file", RandomBytes(kDigestBlock + 1));
  auto const version = spool_->FindOpen(Row(inode).version);
  ASSERT_NE(version, nullptr);
  EXPECT_TRUE(version->KnowsDigest(0));
}

}  // namespace
}  // namespace tusfs
