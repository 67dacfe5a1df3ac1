// Recovery: what a mount finds after its connection, its daemon or its machine has ended.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class RecoveryTest : public FilesystemRig {
 protected:
  Result<std::uint64_t> RecoverFor(std::string const& endpoint) {
    return Recover(*store_, *spool_, clock_,
                   {.endpoint = endpoint, .boot_id = "first boot", .uid = 1000, .gid = 1000});
  }
};

TEST_F(RecoveryTest, ANewMountHasARootOfItsUser) {
  auto const root = Stat(kRootInode);
  EXPECT_EQ(root.type, FileType::kDirectory);
  EXPECT_EQ(root.uid, 1000U);
  EXPECT_EQ(root.links, 2U);
}

TEST_F(RecoveryTest, ConnectionsAreNumberedAnew) {
  auto const first = RecoverFor(kTestEndpoint);
  auto const second = RecoverFor(kTestEndpoint);
  ASSERT_TRUE(first && second);
  EXPECT_GT(*second, *first);
}

TEST_F(RecoveryTest, AnotherEndpointIsRefusedWithASentenceAndNothingIsChanged) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  auto const refused = RecoverFor("http://other/files/");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EXDEV);
  EXPECT_THAT(refused.error().context, HasSubstr(kTestEndpoint));
  EXPECT_THAT(refused.error().context, HasSubstr("--state-dir"));
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kWriting);
}

// ---- the connection ended

TEST_F(RecoveryTest, AFileThatWasBeingWrittenIsInterruptedWithEveryByte) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Flush(created.handle);
  Write(created.handle, 5, "678");
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("mount ended"));
  EXPECT_EQ(Stat(created.attributes.inode).size, 8U) << "the spool knows more than the catalog";
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345678");
}

TEST_F(RecoveryTest, AFileWhoseLastCloseWasCleanSettles) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Flush(created.handle);
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345");
}

TEST_F(RecoveryTest, AFileWhoseWriterWasKilledStaysInterruptedForThatReason) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  processes_.Kill(me_.pid);
  Flush(created.handle);
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
}

TEST_F(RecoveryTest, ACloseByAnotherProgramThanTheOneThatOpenedItIsNotItsEnd) {
  auto const created = Create("a");
  Write(created.handle, 0, "half", &other_);
  Flush(created.handle, &other_);
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("had not closed it"));
}

TEST_F(RecoveryTest, ACloseBeforeAnyWriteIsNoCleanEnd) {
  auto const created = Create("a");
  Flush(created.handle);
  Write(created.handle, 0, "half");
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
}

TEST_F(RecoveryTest, AFileThatWasOnlyOpenForWritingIsNotInterrupted) {
  auto const inode = MakeFile("a", "whole");
  ChangeRow(inode, [](Inode& row) { row.content = Content::kFinished; });
  Open(inode, O_WRONLY);
  Remount();
  EXPECT_EQ(Row(inode).content, Content::kSettling);
}

TEST_F(RecoveryTest, OneWriterThatDidNotCloseIsEnough) {
  auto const created = Create("a");
  auto const second = Open(created.attributes.inode, O_WRONLY, &other_);
  Write(created.handle, 0, "x");
  Write(second, 1, "y", &other_);
  Flush(created.handle);
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
}

TEST_F(RecoveryTest, AnInterruptedFileThatWasWrittenAgainAndClosedCleanlySettles) {
  auto const created = Create("a");
  Write(created.handle, 0, "half");
  Close(created.handle);
  ChangeRow(created.attributes.inode, [](Inode& row) { row.content = Content::kInterrupted; });
  auto const handle = Open(created.attributes.inode, O_WRONLY);
  Write(handle, 0, "whole");
  Flush(handle);
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
}

TEST_F(RecoveryTest, NoHandleOfTheLastConnectionIsLeft) {
  Create("a");
  Remount();
  EXPECT_TRUE(store_->Read([](View const& view) { return ListHandles(view); }).value().empty());
}

TEST_F(RecoveryTest, RecoveringTwiceChangesNothingMore) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Remount();
  auto const reason = Row(created.attributes.inode).reason;
  Remount();
  Remount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(created.attributes.inode).reason, reason);
  EXPECT_EQ(Stat(created.attributes.inode).size, 5U);
}

TEST_F(RecoveryTest, FinishedAndUploadedFilesStayAsTheyAre) {
  auto const finished = MakeFile("finished", "12345");
  auto const uploaded = MakeFile("uploaded", "12345");
  ChangeRow(finished, [](Inode& row) {
    row.content = Content::kFinished;
    row.synced_size = row.size;
  });
  ChangeRow(uploaded, [](Inode& row) { row.content = Content::kUploaded; });
  Remount();
  Remount(kNextBoot);
  EXPECT_EQ(Row(finished).content, Content::kFinished);
  EXPECT_EQ(Row(uploaded).content, Content::kUploaded);
  EXPECT_EQ(BytesOf(finished), "12345");
  EXPECT_EQ(Stat(uploaded).size, 5U);
}

TEST_F(RecoveryTest, SettlingFilesGoOnSettling) {
  auto const inode = MakeFile("a", "12345");
  Remount();
  EXPECT_EQ(Row(inode).content, Content::kSettling);
  EXPECT_EQ(BytesOf(inode), "12345");
}

TEST_F(RecoveryTest, AFileWhoseBytesAreGoneFailsAndSaysSo) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  auto const version = Row(created.attributes.inode).version;
  Unmount();
  ASSERT_TRUE(Ok(Spool::Open(dir_ / "spool").value()->Remove(version)));
  Mount();
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kFailed);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("missing"));
}

// ---- the daemon was killed

TEST_F(RecoveryTest, EverythingThatWasAnsweredSurvivesAKill) {
  Unmount();
  std::string const bytes = tusfs_testing::RandomBytes(300'000);
  pid_t const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Mount();
    auto const d = MakeDir("d");
    MakeFile("removed", "x");
    static_cast<void>(fs_->Unlink(me_, kRootInode, "removed"));
    auto const whole = MakeFile("whole", "12345", d);
    static_cast<void>(fs_->Rename(me_, d, "whole", kRootInode, "renamed", 0));
    SetSize(whole, 3);
    auto const open = Create("open");
    Write(open.handle, 0, bytes);
    Flush(open.handle);
    Write(open.handle, bytes.size(), "more");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Mount();
  EXPECT_THAT(Names(), testing::ElementsAre(".", "..", "d", "renamed", "open"));
  EXPECT_THAT(Names(InodeOf("d")), testing::ElementsAre(".", ".."));
  EXPECT_EQ(BytesOf(InodeOf("renamed")), "123");
  EXPECT_EQ(Row(InodeOf("renamed")).content, Content::kSettling);
  EXPECT_TRUE(BytesOf(InodeOf("open")) == bytes + "more");
  EXPECT_EQ(Row(InodeOf("open")).content, Content::kInterrupted);
  EXPECT_TRUE(Ok(SweepLeftovers(*store_, *spool_, {})));
  EXPECT_EQ(SpoolFiles(), 2U);
}

// ---- the machine stopped

TEST_F(RecoveryTest, AfterAnotherBootTheServersBytesOfAnUnfinishedFileAreNotTrusted) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  GiveUpload(created.attributes.inode, 4);
  Remount(kNextBoot);
  EXPECT_TRUE(Row(created.attributes.inode).upload.IsNil());
  auto const left = store_->Read([](View const& view) { return ListUploads(view); }).value();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].owner, 0U) << "to be terminated";
}

TEST_F(RecoveryTest, AfterAnotherBootAFileEndsAtItsSyncedSize) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 5, "678");
  Close(created.handle);
  Remount(kNextBoot);
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("machine stopped"));
  EXPECT_EQ(Stat(created.attributes.inode).size, 5U);
  EXPECT_EQ(BytesOf(created.attributes.inode), "12345");
}

TEST_F(RecoveryTest, AfterAnotherBootTheBytesBehindTheSyncedSizeAreKeptAndSaid) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 5, "678");
  Close(created.handle);
  auto const never = MakeFile("never synced", "1234");
  for (auto const* boot : {kNextBoot, "third boot"}) {
    Remount(boot);
    auto const row = Row(created.attributes.inode);
    EXPECT_EQ(row.size, 5U);
    EXPECT_EQ(row.held, 3U);
    EXPECT_EQ(row.size_before, 8U);
    EXPECT_EQ(std::filesystem::file_size(PathOf(created.attributes.inode)), 8U);
    EXPECT_EQ(Row(never).size, 0U);
    EXPECT_EQ(Row(never).held, 4U);
  }
}

// A copy of the same size and time would else be taken for one that is there.
TEST_F(RecoveryTest, AFileThatTheDiskHasFailedShowsTheSizeOfWhatIsLeft) {
  auto const cut = MakeFile("cut", "12345");
  auto const gone = MakeFile("gone", "12345");
  auto const whole = MakeFile("whole", "12345");
  for (auto const inode : {cut, gone, whole}) {
    ChangeRow(inode, [](Inode& row) { row.content = Content::kFailed; });
  }
  auto const bodies = std::pair(PathOf(cut), PathOf(gone));
  Unmount();
  std::filesystem::resize_file(bodies.first, 3);
  std::filesystem::remove(bodies.second);
  Mount(kNextBoot);
  EXPECT_EQ(Stat(cut).size, 3U);
  EXPECT_EQ(BytesOf(cut), "123");
  EXPECT_EQ(Stat(gone).size, 5U) << "it cannot be opened either";
  EXPECT_EQ(Stat(whole).size, 5U);
  EXPECT_EQ(Row(cut).content, Content::kFailed);
  EXPECT_EQ(Reporter(*store_, *spool_, *uploader_, *finishing_).Status().value().accepted, 15U);
}

TEST_F(RecoveryTest, WhatThePowerCutHasLeftIsForgottenWhenTheFileIsChanged) {
  std::vector<InodeId> files;
  for (auto const* name : {"written", "cut", "emptied", "truncated"}) {
    files.push_back(MakeFile(name, "12345"));
  }
  Remount(kNextBoot);
  auto const handle = Open(files[0], O_WRONLY);
  Write(handle, 0, "x");
  Close(handle);
  SetSize(files[1], 2);
  SetSize(files[2], 7);
  SetSize(files[2], 0);
  Close(Open(files[3], O_WRONLY | O_TRUNC));
  for (auto const file : files) {
    EXPECT_FALSE(Row(file).IsCut()) << file;
    EXPECT_FALSE(Row(file).synced) << file;
  }
  EXPECT_EQ(BytesOf(files[0]), "x");
  EXPECT_EQ(BytesOf(files[1]), std::string(2, '\0'));
}

TEST_F(RecoveryTest, AFileThatWaitsAndWasQuietIsOnDiskAndGoesOnAfterAnotherBoot) {
  auto const inode = MakeFile("clip.part", "12345");
  auto const upload = GiveUpload(inode, 4);
  Settler(*store_, *spool_, rules_, clock_, {}, {.nudge = [](InodeId) {}, .ask = [](InodeId) {}},
          logger_)
      .Settle({inode});
  Remount(kNextBoot);
  EXPECT_EQ(Row(inode).content, Content::kSettling);
  EXPECT_EQ(Row(inode).upload, upload) << "what was sent is what is on disk";
  EXPECT_EQ(BytesOf(inode), "12345");
}

TEST_F(RecoveryTest, AFileThatWasFsyncedBeforeItsCloseGoesOnAfterAnotherBoot) {
  for (std::string const bytes : {"", "bytes"}) {
    auto const file = Create("f" + bytes);
    if (!bytes.empty()) Write(file.handle, 0, bytes);
    ASSERT_TRUE(Ok(fs_->Sync(file.handle)));
    Close(file.handle);
    Remount("boot after " + bytes);
    auto const row = Row(file.attributes.inode);
    EXPECT_EQ(row.content, Content::kSettling) << row.reason;
    EXPECT_EQ(BytesOf(file.attributes.inode), bytes);
  }
}

TEST_F(RecoveryTest, AFileThatWasWrittenAfterItsFsyncDoesNotCountAsSynced) {
  auto const file = Create("f");
  Write(file.handle, 0, "bytes");
  ASSERT_TRUE(Ok(fs_->Sync(file.handle)));
  Write(file.handle, 0, "other");
  Close(file.handle);
  Remount("second boot");
  EXPECT_EQ(Row(file.attributes.inode).content, Content::kInterrupted);
}

TEST_F(RecoveryTest, AFileThatWasOnDiskAndIsRewrittenInPlaceIsNotTakenForWhatItWas) {
  auto const inode = MakeFile("clip.part", "12345");
  Settler(*store_, *spool_, rules_, clock_, {}, {.nudge = [](InodeId) {}, .ask = [](InodeId) {}},
          logger_)
      .Settle({inode});
  auto const handle = Open(inode, O_WRONLY);
  Write(handle, 0, "ABC");
  Close(handle);
  Remount(kNextBoot);
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Stat(inode).size, 5U) << "these bytes are there, whichever they are";
}

TEST_F(RecoveryTest, AfterAnotherBootATrimmedFileKeepsTheUploadThatHasItsHead) {
  auto const inode = MakeFile("a", std::string(10'000, 'x'));
  auto const upload = GiveUpload(inode, 8192);
  ChangeRow(inode, [](Inode& row) { row.trimmed = 8192; });
  Remount(kNextBoot);
  EXPECT_EQ(Row(inode).upload, upload);
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  EXPECT_EQ(Row(inode).size, 8192U);
  EXPECT_EQ(Row(inode).held, 10'000U - 8192U);
}

TEST_F(RecoveryTest, AfterAnotherBootNobodyHasApprovedWhatIsLeft) {
  auto const inode = MakeFile("a", "approved but not synced");
  ASSERT_EQ(RenameCode("a", "b"), 0);
  ChangeRow(inode, [](Inode& row) { row.approved = true; });
  Remount();
  EXPECT_TRUE(Row(inode).approved);
  EXPECT_TRUE(Row(inode).renamed);
  Remount(kNextBoot);
  EXPECT_FALSE(Row(inode).approved);
  EXPECT_FALSE(Row(inode).renamed);
}

TEST_F(RecoveryTest, WhatLiesBehindTheSyncedSizeComesBackAsZerosOnly) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 2, "345678");
  Remount(kNextBoot);
  SetSize(created.attributes.inode, 6);
  EXPECT_EQ(BytesOf(created.attributes.inode), std::string("12\0\0\0\0", 6));
}

TEST_F(RecoveryTest, AfterAnotherBootANeverSyncedFileIsEmptyAndCanBeWrittenAgain) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Close(created.handle);
  Remount(kNextBoot);
  EXPECT_EQ(Stat(created.attributes.inode).size, 0U);
  auto const handle = Open(created.attributes.inode, O_RDWR);
  Write(handle, 0, "again");
  Close(handle);
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
  EXPECT_EQ(BytesOf(created.attributes.inode), "again");
}

TEST_F(RecoveryTest, ANameThatCameThroughWithoutItsBodyCanBeOpened) {
  auto const created = Create("a");
  auto const version = Row(created.attributes.inode).version;
  Unmount();
  ASSERT_TRUE(Ok(Spool::Open(dir_ / "spool").value()->Remove(version)));
  Mount(kNextBoot);
  EXPECT_EQ(BytesOf(created.attributes.inode), "");
}

TEST_F(RecoveryTest, ASecondBootIsNoWorseThanTheFirst) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Remount(kNextBoot);
  Remount("third boot");
  EXPECT_EQ(Stat(created.attributes.inode).size, 5U);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("machine stopped"));
}

// ---- what nothing refers to

TEST_F(RecoveryTest, InodesWithoutANameGoWithTheirBytes) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  ASSERT_TRUE(HasRow(created.attributes.inode));
  Remount();
  EXPECT_FALSE(HasRow(created.attributes.inode));
  EXPECT_EQ(SpoolFiles(), 0U);
}

TEST_F(RecoveryTest, AnInodeWithoutANameThatWasOpenTwiceGoesOnceAndOthersStay) {
  auto const created = Create("a");
  Open(created.attributes.inode, O_RDONLY);
  auto const kept = MakeFile("kept", "12345");
  Open(kept, O_RDONLY);
  GiveUpload(created.attributes.inode, 4);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  Remount();
  EXPECT_FALSE(HasRow(created.attributes.inode));
  EXPECT_EQ(BytesOf(kept), "12345");
  EXPECT_EQ(SpoolFiles(), 1U);
  EXPECT_EQ(store_->Read([](View const& view) { return ListOwnerless(view); }).value().size(), 1U);
}

TEST_F(RecoveryTest, AnInodeWithoutANameGoesAlsoAfterARecoveryThatWasCutShort) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  Unmount();
  pid_t const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    OpenState();
    Inode inode = Row(created.attributes.inode);
    static_cast<void>(
        store_->Update([&](Transaction& transaction) { return DeleteInode(transaction, inode); }));
    ::kill(::getpid(), SIGKILL);  // before the handles and the bytes
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  Mount();
  EXPECT_FALSE(HasRow(created.attributes.inode));
  EXPECT_TRUE(store_->Read([](View const& view) { return ListHandles(view); }).value().empty());
  EXPECT_EQ(SweepLeftovers(*store_, *spool_, {}), 1U);
  EXPECT_EQ(SpoolFiles(), 0U);
}

TEST_F(RecoveryTest, SpoolFilesThatNothingRefersToGo) {
  auto const inode = MakeFile("a", "12345");
  auto const orphan = store_->Update(
      [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
  ASSERT_TRUE(Ok(spool_->Create(orphan.value())));
  ASSERT_EQ(SpoolFiles(), 2U);
  Remount();
  EXPECT_EQ(SweepLeftovers(*store_, *spool_, {}), 1U);
  EXPECT_EQ(SpoolFiles(), 1U);
  EXPECT_EQ(BytesOf(inode), "12345");
}

TEST_F(RecoveryTest, BytesOfANewerCatalogAreNotSweptByAnOlderCopyOfIt) {
  ASSERT_TRUE(Ok(spool_->Create(1'000'000)));
  Remount();
  EXPECT_EQ(SweepLeftovers(*store_, *spool_, {}), 0U);
  EXPECT_EQ(SpoolFiles(), 1U);
}

TEST_F(RecoveryTest, TheBootIdOfThisMachineIsRead) {
  auto const boot = ReadBootId();
  ASSERT_TRUE(Ok(boot));
  EXPECT_EQ(boot->size(), 36U);
}

}  // namespace
}  // namespace tusfs
