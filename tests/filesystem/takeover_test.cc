// Filesystem: open files outlive the daemon, and what it left behind goes.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using tusfs_testing::WaitFor;

class Takeover : public FilesystemRig {
 protected:
  Content ContentOf(InodeId inode) { return Row(inode).content; }

  std::size_t Handles() {
    return store_->Read([](View const& view) { return ListHandles(view); }).value().size();
  }

  void SetClockToNow() {
    clock_.Advance(std::chrono::nanoseconds(SystemClock().Wall() - clock_.Wall()));
  }

  Caller const doomed_{.uid = 1000, .gid = 1000, .pid = 666};
};

// ---- bytes

TEST_F(Takeover, AnOpenFileIsReadAndWrittenOn) {
  auto const created = Create("a", O_RDWR);
  auto const reader = Open(created.attributes.inode, O_RDONLY, &other_);
  Write(created.handle, 0, "hello");
  DaemonDies();
  EXPECT_EQ(Read(reader), "hello");
  Write(created.handle, 5, " world");
  EXPECT_EQ(Read(reader), "hello world");
  EXPECT_TRUE(fs_->HasWriters(created.attributes.inode));
  Close(created.handle);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kSettling);
  EXPECT_TRUE(Ok(fs_->Release(reader)));
  EXPECT_EQ(Handles(), 0U);
}

TEST_F(Takeover, AnyNumberOfDaemonsMayDie) {
  auto const created = Create("a", O_RDWR);
  for (std::uint64_t i = 0; i < 5; ++i) {
    Write(created.handle, 3 * i, "abc");
    DaemonDies();
  }
  Close(created.handle);
  EXPECT_EQ(BytesOf(created.attributes.inode), "abcabcabcabcabc");
}

TEST_F(Takeover, ATruncatedFileHasItsNewBody) {
  auto const inode = MakeFile("a", "old bytes");
  auto const reader = Open(inode, O_RDONLY);
  auto const writer = Open(inode, O_WRONLY | O_TRUNC);
  Write(writer, 0, "new");
  DaemonDies();
  EXPECT_EQ(Read(reader), "new");
  Close(writer);
  EXPECT_EQ(ContentOf(inode), Content::kSettling);
}

TEST_F(Takeover, AnUnlinkedFileLivesOnAsLongAsItIsOpen) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "bytes");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  DaemonDies();
  EXPECT_EQ(Stat(created.attributes.inode).links, 0U);
  EXPECT_EQ(Read(created.handle), "bytes");
  Write(created.handle, 5, " more");
  DaemonDies();
  EXPECT_EQ(Read(created.handle), "bytes more");
  Close(created.handle);
  EXPECT_FALSE(HasRow(created.attributes.inode));
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 0; }));
}

TEST_F(Takeover, AFileThatIsOpenIsNotRemovedWithItsName) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "bytes");
  DaemonDies();
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  EXPECT_EQ(Read(created.handle), "bytes");
}

TEST_F(Takeover, NewHandlesAreNewNumbers) {
  auto const first = Create("a").handle;
  DaemonDies();
  EXPECT_GT(Create("b").handle, first);
}

// ---- what the disk knows and the catalog does not

TEST_F(Takeover, SizeAndTimeAreThoseOfTheLastWrite) {
  SetClockToNow();
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  Flush(created.handle);
  clock_.Advance(-std::chrono::hours(1));  // so that the catalog's times are old
  ChangeRow(created.attributes.inode,
            [&](Inode& row) { row.modified = row.changed = clock_.Wall(); });
  Write(created.handle, 5, "678");
  DaemonDies();
  EXPECT_EQ(Row(created.attributes.inode).size, 5U);
  EXPECT_EQ(Stat(created.attributes.inode).size, 8U);
  EXPECT_GT(Stat(created.attributes.inode).modified, clock_.Wall());
  EXPECT_EQ(Stat(created.attributes.inode).changed, Stat(created.attributes.inode).modified);
  auto const shown = Stat(created.attributes.inode).modified;
  Flush(created.handle);
  EXPECT_EQ(Row(created.attributes.inode).modified, shown);
  EXPECT_EQ(Row(created.attributes.inode).size, 8U);
}

TEST_F(Takeover, ATimeThatWasSetAfterTheLastWriteStays) {
  SetClockToNow();
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  clock_.Advance(std::chrono::hours(1));
  AttributeChange change;
  change.modified = 1'000'000'000;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, created.attributes.inode, change, 0)));
  DaemonDies();
  EXPECT_EQ(Stat(created.attributes.inode).modified, 1'000'000'000);
  Close(created.handle);
  EXPECT_EQ(Stat(created.attributes.inode).modified, 1'000'000'000);
}

TEST_F(Takeover, BytesThatAPowerCutLeftBehindTheEndDoNotComeBack) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 2, "345678");
  Remount(kNextBoot);
  auto const reader = Open(created.attributes.inode, O_RDONLY);
  DaemonDies();
  EXPECT_EQ(Read(reader), "12");
  auto const writer = Open(created.attributes.inode, O_RDWR);
  SetSize(created.attributes.inode, 2, writer);  // written now, and nothing was changed
  ASSERT_EQ(ContentOf(created.attributes.inode), Content::kWriting);
  DaemonDies();
  EXPECT_EQ(Read(writer), "12");
  Write(writer, 4, "x");
  EXPECT_EQ(Read(reader), std::string("12\0\0x", 5));
}

TEST_F(Takeover, BytesBehindTheEndOfAFinishedFileDoNotBecomeItsOwn) {
  for (auto const content : {Content::kSettling, Content::kFinished, Content::kUploaded}) {
    auto const inode = MakeFile("a", "12345");
    ChangeRow(inode, [&](Inode& row) { row.content = content; });
    std::ofstream(PathOf(inode), std::ios::app) << "tail";
    DaemonDies();
    auto const handle = Open(inode, O_RDWR);
    DaemonDies();
    EXPECT_EQ(Read(handle), "12345");
    SetSize(inode, 5, handle);
    DaemonDies();
    EXPECT_EQ(Read(handle), "12345");
    ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
    Close(handle);
    ASSERT_TRUE(WaitFor([&] { return SpoolFiles() == 0; }));
  }
}

TEST_F(Takeover, TheBytesOfAFileThatTheDiskFailedAreThoseThatWereWritten) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ChangeRow(created.attributes.inode, [](Inode& row) { row.content = Content::kFailed; });
  DaemonDies();
  EXPECT_EQ(Read(created.handle), "12345");
}

TEST_F(Takeover, AFileWhoseBytesAreGoneIsNotOpenAnyMoreAndTheOthersAre) {
  auto const lost = Create("lost", O_RDWR);
  auto const kept = Create("kept", O_RDWR);
  auto const nowhere = Create("nowhere", O_RDWR);
  Write(lost.handle, 0, "half");
  Write(kept.handle, 0, "bytes");
  auto const path = PathOf(lost.attributes.inode);
  auto const dropped = store_->Update([&](Transaction& transaction) -> Result<void> {
    return DeleteInode(transaction, GetInode(transaction, nowhere.attributes.inode).value());
  });
  ASSERT_TRUE(Ok(dropped));
  Unmount();
  std::filesystem::remove(path);
  Succeed();
  EXPECT_EQ(Read(kept.handle), "bytes");
  EXPECT_EQ(CodeOf(fs_->Flush(me_, lost.handle)), EBADF);
  EXPECT_EQ(CodeOf(fs_->Flush(me_, nowhere.handle)), EBADF);
  EXPECT_EQ(Handles(), 1U);
  EXPECT_EQ(ContentOf(lost.attributes.inode), Content::kFailed) << "never published";
  EXPECT_THAT(Row(lost.attributes.inode).reason, HasSubstr("missing"));
}

// ---- who wrote, and how it was closed

TEST_F(Takeover, AWriterThatIsKilledAfterwardsLeavesItInterrupted) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "half", &doomed_);
  DaemonDies();
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
}

TEST_F(Takeover, ABystandersCloseStillSaysNothing) {
  auto const created = Create("a", O_WRONLY, &me_);
  Write(created.handle, 0, "half", &doomed_);
  DaemonDies();
  processes_.Kill(doomed_.pid);
  Flush(created.handle, &doomed_);
  Close(created.handle, &me_);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
}

TEST_F(Takeover, EveryWriterIsRemembered) {
  auto const created = Create("a");
  Write(created.handle, 0, "one");
  Write(created.handle, 3, "two", &doomed_);
  Write(created.handle, 6, "three");
  DaemonDies();
  processes_.Kill(doomed_.pid);
  Flush(created.handle, &doomed_);
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
}

TEST_F(Takeover, AProcessThatWritesAgainAfterAnotherOnesCloseCountsAgain) {
  auto const created = Create("a");
  Write(created.handle, 0, "one");
  Write(created.handle, 3, "two", &doomed_);
  Flush(created.handle, &me_);
  Write(created.handle, 6, "three", &doomed_);
  DaemonDies();
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
}

TEST_F(Takeover, ACleanCloseStaysOne) {
  auto const created = Create("a");
  Write(created.handle, 0, "whole");
  Flush(created.handle);
  DaemonDies();
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kSettling);
}

TEST_F(Takeover, TheVerdictOnAKilledWriterStays) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "half", &doomed_);
  processes_.Kill(doomed_.pid);
  Flush(created.handle, &doomed_);
  DaemonDies();
  processes_ = FakeProcesses();
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("SIGKILL"));
}

TEST_F(Takeover, AFileThatNobodyHasClosedWhenTheMountEndsIsInterrupted) {
  auto const created = Create("a");
  Write(created.handle, 0, "half");
  DaemonDies();
  Remount();
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_EQ(BytesOf(created.attributes.inode), "half");
}

// ---- a write that failed

class TakeoverOfFailedWrite : public Takeover {
 protected:
  TakeoverOfFailedWrite() {
    std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
  }
  ~TakeoverOfFailedWrite() override { MakeRoom(); }

  // Writes over the place where the disk is full from now on.
  void WriteInVain(HandleId handle, std::uint64_t offset, std::string const& bytes) {
    rlimit const full{.rlim_cur = kFull, .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    EXPECT_FALSE(fs_->Write(me_, handle, offset, std::as_bytes(std::span(bytes))));
  }
  void MakeRoom() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }

  static constexpr std::uint64_t kFull = std::uint64_t{256} << 20;  // the catalog has room enough
  rlimit before_{};
};

TEST_F(TakeoverOfFailedWrite, ItIsNotForgotten) {
  auto const created = Create("a");
  Write(created.handle, 0, "half");
  WriteInVain(created.handle, kFull, "rest");
  MakeRoom();
  DaemonDies();
  Write(created.handle, 4, "elsewhere");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kInterrupted);
  EXPECT_THAT(Row(created.attributes.inode).reason, HasSubstr("a write to it failed"));
}

TEST_F(TakeoverOfFailedWrite, ItIsForgivenWhenTheSuccessorWritesItAfterAll) {
  auto const created = Create("a");
  WriteInVain(created.handle, kFull, "rest");
  MakeRoom();
  DaemonDies();
  Write(created.handle, kFull, "rest");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kSettling);
}

TEST_F(TakeoverOfFailedWrite, ThatItWasWrittenAfterAllIsNotForgottenEither) {
  auto const created = Create("a");
  WriteInVain(created.handle, kFull, "rest");
  MakeRoom();
  Write(created.handle, kFull, "rest");
  DaemonDies();
  Close(created.handle);
  EXPECT_EQ(ContentOf(created.attributes.inode), Content::kSettling);
}

TEST_F(TakeoverOfFailedWrite, TheHalfOfItThatReachedTheDiskIsNoneOfTheFile) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, kFull - 10, "0123");
  WriteInVain(created.handle, kFull - 6, "456789abcdef");
  MakeRoom();
  DaemonDies();
  EXPECT_EQ(Stat(created.attributes.inode).size, kFull - 6);
  EXPECT_EQ(Read(created.handle, kFull - 10), "0123");
}

// ---- bytes that were sent

TEST_F(Takeover, WritingWhatWasSentAlreadyLetsTheUploadGoOn) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345678");
  auto const upload = GiveUpload(created.attributes.inode, 6);
  DaemonDies();
  clock_.Advance(std::chrono::hours(24 * 365 * 10));
  Write(created.handle, 2, "3456");  // a request that was executed, and comes again
  EXPECT_EQ(Row(created.attributes.inode).upload, upload);
  EXPECT_EQ(Stat(created.attributes.inode).modified, clock_.Wall()) << "it is a write all the same";
  Write(created.handle, 6, "78 and more");
  EXPECT_EQ(Row(created.attributes.inode).upload, upload);
  EXPECT_EQ(Read(created.handle), "12345678 and more");
}

TEST_F(Takeover, WritingOtherBytesOverWhatWasSentTakesTheUploadAway) {
  for (std::string const bytes : {"34x6", "3456789"}) {
    auto const created = Create(bytes, O_RDWR);
    Write(created.handle, 0, "12345678");
    GiveUpload(created.attributes.inode, 6);
    DaemonDies();
    Write(created.handle, 2, bytes);
    EXPECT_TRUE(Row(created.attributes.inode).upload.IsNil());
    EXPECT_EQ(Read(created.handle, 2, bytes.size()), bytes);
  }
}

TEST_F(Takeover, WritingWhatWasPublishedPublishesNothingNew) {
  auto const inode = MakeFile("a", "published");
  auto const upload = GiveUpload(inode, 9, UploadPhase::kComplete);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  auto const handle = Open(inode, O_RDWR);
  Write(handle, 0, "published");
  Close(handle);
  EXPECT_EQ(Row(inode).upload, upload);
  EXPECT_EQ(ContentOf(inode), Content::kSettling);
}

// ---- what a successor is refused

class ResumeTest : public Takeover {
 protected:
  Result<void> ResumeWith(std::function<void(RecoveryOptions&)> const& change,
                          std::uint64_t connection) {
    auto options = OptionsOfRecovery();
    change(options);
    return Resume(*store_, options, connection);
  }

  // ESTALE, and the sentence has `what` and the way out.
  void ExpectRefused(Result<void> const& resumed, std::string const& what) {
    ASSERT_FALSE(resumed);
    EXPECT_EQ(resumed.error().code, ESTALE);
    EXPECT_THAT(resumed.error().context, AllOf(HasSubstr(what), HasSubstr("mount again")));
  }
};

TEST_F(ResumeTest, TheSameEndpointBootAndConnectionAreGoneOnWith) {
  EXPECT_TRUE(Ok(ResumeWith([](RecoveryOptions&) {}, connection_)));
}

TEST_F(ResumeTest, AnotherEndpointIsRefused) {
  ExpectRefused(
      ResumeWith([](RecoveryOptions& options) { options.endpoint = "http://other/"; }, connection_),
      "endpoint");
}

TEST_F(ResumeTest, AnotherBootIsRefused) {
  ExpectRefused(
      ResumeWith([](RecoveryOptions& options) { options.boot_id = kNextBoot; }, connection_),
      "boot");
}

TEST_F(ResumeTest, AnotherConnectionIsRefused) {
  auto const before = connection_;
  Remount();
  ExpectRefused(ResumeWith([](RecoveryOptions&) {}, before), "connection");
  ExpectRefused(ResumeWith([](RecoveryOptions&) {}, connection_ + 1), "connection");
}

TEST_F(ResumeTest, AStateDirectoryThatIsNewIsRefused) {
  Unmount();
  std::filesystem::remove_all(dir_ / "catalog");
  OpenState();
  EXPECT_EQ(CodeOf(ResumeWith([](RecoveryOptions&) {}, connection_)), ESTALE);
}

// ---- what nothing refers to

class Sweep : public Takeover {
 protected:
  // A body that the daemon had made, and not yet or no longer any file for.
  VersionId MakeLeftover() {
    auto const version = store_->Update(
        [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
    EXPECT_TRUE(Ok(version));
    EXPECT_TRUE(Ok(spool_->Create(version.value())));
    return version.value();
  }

  std::uint64_t SweepNow(std::stop_token stop = {}) {
    auto const swept = SweepLeftovers(*store_, *spool_, stop);
    EXPECT_TRUE(Ok(swept));
    return swept.value_or(0);
  }
};

TEST_F(Sweep, RemovesWhatADeadDaemonHasLeftAndNothingElse) {
  auto const closed = MakeFile("closed", "12345");
  auto const open = Create("open", O_RDWR);
  Write(open.handle, 0, "bytes");
  auto const nameless = Create("nameless", O_RDWR);
  Write(nameless.handle, 0, "more");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "nameless")));
  MakeLeftover();
  MakeLeftover();
  DaemonDies();
  ASSERT_EQ(SpoolFiles(), 5U);
  EXPECT_EQ(SweepNow(), 2U);
  EXPECT_EQ(SweepNow(), 0U);
  EXPECT_EQ(SpoolFiles(), 3U);
  EXPECT_EQ(BytesOf(closed), "12345");
  EXPECT_EQ(Read(open.handle), "bytes");
  EXPECT_EQ(Read(nameless.handle), "more");
}

TEST_F(Sweep, SparesWhatThisDaemonIsJustMaking) {
  DaemonDies();
  auto const version = MakeLeftover();  // its file is not in the catalog yet
  EXPECT_EQ(SweepNow(), 0U);
  EXPECT_TRUE(Ok(spool_->Find(version, 0)));
}

TEST_F(Sweep, SparesBytesOfACatalogThatIsNewerThanThisOne) {
  ASSERT_TRUE(Ok(spool_->Create(1'000'000)));
  DaemonDies();
  EXPECT_EQ(SweepNow(), 0U);
}

TEST_F(Sweep, EndsEarlyWhenItIsToldTo) {
  MakeLeftover();
  DaemonDies();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(SweepNow(stop.get_token()), 0U);
  EXPECT_EQ(SpoolFiles(), 1U);
}

TEST_F(Sweep, SeesFilesOnEveryPage) {
  for (int i = 0; i < 600; ++i) MakeFile(std::to_string(i), "x");
  MakeLeftover();
  DaemonDies();
  EXPECT_EQ(SweepNow(), 1U);
  EXPECT_EQ(SpoolFiles(), 600U);
}

TEST_F(Sweep, DoesNoHarmToThoseWhoWorkMeanwhile) {
  constexpr int kFiles = 40;
  for (int i = 0; i < kFiles; ++i) MakeFile(std::to_string(i), "old");
  for (int i = 0; i < 100; ++i) MakeLeftover();
  DaemonDies();
  std::atomic<std::uint64_t> swept = 0;
  {
    std::jthread const sweeper([&](std::stop_token const& stop) {
      while (!stop.stop_requested()) swept += SweepNow(stop);
    });
    std::vector<std::jthread> workers;
    for (unsigned t = 0; t < 2; ++t) {
      workers.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < 500; ++i) {
          auto const name = std::to_string(random() % kFiles);
          auto const found = fs_->Lookup(kRootInode, name);
          if (!found) {
            auto const created = fs_->Create(me_, kRootInode, name, 0644, O_RDWR);
            if (created) Close(created->handle);
          } else if (random() % 4 == 0) {
            static_cast<void>(fs_->Unlink(me_, kRootInode, name));
          } else if (random() % 2 == 0) {
            auto const handle = fs_->Open(me_, found->inode, O_RDWR | O_TRUNC);
            if (handle) Close(*handle);
          } else {
            static_cast<void>(fs_->Rename(me_, kRootInode, name, kRootInode,
                                          std::to_string(random() % kFiles), 0));
          }
        }
      });
    }
    workers.clear();
    ASSERT_TRUE(WaitFor([&] { return swept >= 100; }));
  }
  auto names = Names();
  names.erase(names.begin(), names.begin() + 2);
  ASSERT_THAT(names, testing::Not(IsEmpty()));
  for (auto const& name : names) EXPECT_TRUE(Ok(fs_->Open(me_, InodeOf(name), O_RDONLY))) << name;
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == names.size(); }));
}

}  // namespace
}  // namespace tusfs
