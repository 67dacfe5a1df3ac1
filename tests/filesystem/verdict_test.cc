// Filesystem: who closed a file decides whether it is finished.
#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class VerdictTest : public FilesystemRig {
 protected:
  Content ContentOf(Filesystem::Created const& created) {
    return Row(created.attributes.inode).content;
  }
  std::string ReasonOf(Filesystem::Created const& created) {
    return Row(created.attributes.inode).reason;
  }

  // Written by a process that was killed in the middle.
  Filesystem::Created Interrupted(std::string const& name) {
    auto const created = Create(name, O_WRONLY, &doomed_);
    Write(created.handle, 0, "half", &doomed_);
    processes_.Kill(doomed_.pid);
    Close(created.handle, &doomed_);
    return created;
  }

  Caller const doomed_{.uid = 1000, .gid = 1000, .pid = 666};
  Caller const nobody_{.uid = 0, .gid = 0, .pid = 0};
};

TEST_F(VerdictTest, AFileIsBeingWrittenWhileItIsOpen) {
  auto const created = Create("a");
  EXPECT_EQ(ContentOf(created), Content::kWriting);
  Write(created.handle, 0, "x");
  Flush(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kWriting);
}

TEST_F(VerdictTest, ACleanCloseSettles) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
  EXPECT_THAT(ReasonOf(created), IsEmpty());
}

TEST_F(VerdictTest, TouchSettlesToo) {
  auto const created = Create("a");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AFileCreatedOnlyToBeReadSettlesToo) {
  auto const created = Create("lock", O_RDONLY);
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AKilledWriterLeavesItInterrupted) {
  auto const created = Interrupted("a");
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("SIGKILL"));
}

TEST_F(VerdictTest, AWriterKilledBeforeItsFirstByteLeavesItInterrupted) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, AThreadOfTheWriterSpeaksForItsProcess) {
  processes_.Thread(667, 666);
  processes_.Kill(667);
  Caller const thread{.uid = 1000, .gid = 1000, .pid = 667};
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "x", &doomed_);
  Close(created.handle, &thread);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, ACloseBeforeAnyWriteSaysNothing) {
  // dd closes a duplicate of its output before it writes.
  auto const created = Create("a", O_WRONLY, &doomed_);
  Flush(created.handle, &doomed_);
  Write(created.handle, 0, "x", &doomed_);
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, AWriteAfterACleanCloseAsksForAnother) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  Flush(created.handle);
  Write(created.handle, 1, "y", &nobody_);  // a mapping
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("closed"));
}

TEST_F(VerdictTest, AShellThatOpenedItForItsCommandHasNoSay) {
  // ( cp … ) > file: the shell creates, the command writes and is killed, the shell closes cleanly.
  auto const created = Create("a", O_WRONLY, &me_);
  Write(created.handle, 0, "half", &doomed_);
  processes_.Kill(doomed_.pid);
  Flush(created.handle, &doomed_);
  Close(created.handle, &me_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, AShellThatIsKilledBetweenTwoCommandsLeavesItInterrupted) {
  // ( head …; sleep 300; head … ) > file
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "half", &me_);
  Flush(created.handle, &me_);
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("killed"));
}

TEST_F(VerdictTest, ACommandThatOutlivesItsShellFinishesItsFile) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "whole", &me_);
  processes_.Kill(doomed_.pid);
  Flush(created.handle, &doomed_);
  Close(created.handle, &me_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AShellThatEndsWithAnErrorHasNoSay) {
  // ( make; false ) > log
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "whole", &me_);
  Flush(created.handle, &me_);
  processes_.EndWithStatus(doomed_.pid, 1);
  Close(created.handle, &doomed_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, WhoClosesBesideAKilledWriterDoesNotMendWhatThatHasLeft) {
  auto const created = Create("a", O_WRONLY, &me_);
  auto const other = fs_->Open(doomed_, created.attributes.inode, O_WRONLY).value();
  Write(created.handle, 100, "second", &me_);
  Write(other, 0, "fir", &doomed_);
  processes_.Kill(doomed_.pid);
  Close(other, &doomed_);
  Close(created.handle, &me_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("killed"));
}

TEST_F(VerdictTest, WhoOpensItAfterTheDeathOfAnotherMayMendIt) {
  auto const created = Create("a", O_WRONLY, &me_);
  auto const other = fs_->Open(doomed_, created.attributes.inode, O_WRONLY).value();
  Write(created.handle, 100, "second", &me_);
  Write(other, 0, "fir", &doomed_);
  processes_.Kill(doomed_.pid);
  Close(other, &doomed_);
  auto const third = fs_->Open(me_, created.attributes.inode, O_WRONLY).value();
  Write(third, 0, "first", &me_);
  Close(created.handle, &me_);
  Close(third, &me_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AWriterThatCannotBeSeenLeavesItInterruptedAndSaysWhy) {
  auto const created = Create("a", O_WRONLY, &nobody_);
  Write(created.handle, 0, "x", &nobody_);
  Close(created.handle, &nobody_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("cannot be seen"));
}

TEST_F(VerdictTest, AHiddenStatusLeavesItInterruptedAndSaysWhy) {
  processes_.Hide(me_.pid);
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_EQ(ReasonOf(created), "hidden");
}

TEST_F(VerdictTest, AReleaseWithoutACloseLeavesItInterruptedUnlessItsWriterLivesOn) {
  auto const created = Create("a");
  Write(created.handle, 0, "x", &doomed_);
  processes_.Kill(doomed_.pid);
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  auto const whole = Create("b");
  Write(whole.handle, 0, "x");
  EXPECT_TRUE(Ok(fs_->Release(whole.handle)));
  EXPECT_EQ(ContentOf(whole), Content::kSettling);
}

// ---- a write that failed

class FailedWrite : public VerdictTest {
 protected:
  // No disk has room there.
  void WriteInVain(HandleId handle) {
    std::string const bytes = "x";
    EXPECT_FALSE(fs_->Write(me_, handle, std::uint64_t{1} << 62, std::as_bytes(std::span(bytes))));
  }
};

TEST_F(FailedWrite, ThatIsClosedLikeAGoodOneLeavesTheFileInterruptedAndSaysWhy) {
  auto const created = Create("a");
  Write(created.handle, 0, "half");
  WriteInVain(created.handle);
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("a write to it failed"));
  EXPECT_EQ(BytesOf(created.attributes.inode), "half");
}

TEST_F(FailedWrite, ThatWasTheOnlyOneLeavesTheFileInterruptedToo) {
  auto const created = Create("a");
  WriteInVain(created.handle);
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(FailedWrite, IsNotForgottenForAWriteElsewhere) {
  auto const created = Create("a");
  WriteInVain(created.handle);
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(FailedWrite, IsRememberedWhenTheMountEnds) {
  auto const created = Create("a");
  Write(created.handle, 0, "half");
  WriteInVain(created.handle);
  Flush(created.handle);
  Remount();
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

// ---- copies

TEST_F(VerdictTest, ACopyWhoseSourceWasNotReadToItsEndIsInterruptedThoughItWasClosed) {
  processes_.LeaveUnread(me_.pid, "clip.mov");
  auto const created = Create("clip.mov");
  Write(created.handle, 0, "half");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("source was not read to its end: clip.mov"));
  auto const next = Create("next.mov");  // cp goes on with its next file
  Write(next.handle, 0, "whole");
  Close(next.handle);
  EXPECT_EQ(ContentOf(next), Content::kSettling);
}

TEST_F(VerdictTest, ACloseBeforeTheFirstByteOfACopySaysNothing) {
  processes_.LeaveUnread(me_.pid, "clip.mov");
  auto const created = Create("clip.mov");
  Flush(created.handle);
  processes_ = FakeProcesses();
  Write(created.handle, 0, "whole");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

// ---- what the settings say

class UnknownIsPublished : public VerdictTest {
 protected:
  UnknownIsPublished() {
    rules_.publish_unknown = true;
    Remount();
  }
};

TEST_F(UnknownIsPublished, WhereTheWriterCannotBeSeen) {
  auto const created = Create("a", O_WRONLY, &nobody_);
  Write(created.handle, 0, "x", &nobody_);
  Close(created.handle, &nobody_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(UnknownIsPublished, WhereNobodyClosedWhatWasWrittenLast) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  Flush(created.handle);
  Write(created.handle, 1, "y");
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(UnknownIsPublished, ButADeathIsNotUnknown) {
  EXPECT_EQ(ContentOf(Interrupted("a")), Content::kInterrupted);
}

// ---- renames and approvals are of certain bytes

class Decided : public VerdictTest {
 protected:
  Inode RowOf(Filesystem::Created const& created) { return Row(created.attributes.inode); }
  void Approve(InodeId inode) {
    ChangeRow(inode, [](Inode& row) { row.approved = true; });
  }
};

TEST_F(Decided, ARenameIsKnownUntilTheBytesChange) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  EXPECT_FALSE(RowOf(created).renamed);
  ASSERT_EQ(RenameCode("a", "b"), 0);
  EXPECT_TRUE(RowOf(created).renamed);
  Write(created.handle, 1, "y");  // through a handle that had written before
  EXPECT_FALSE(RowOf(created).renamed);
  ASSERT_EQ(RenameCode("b", "c"), 0);
  Close(created.handle);
  EXPECT_TRUE(RowOf(created).renamed);
}

TEST_F(Decided, AnExchangeRenamesBoth) {
  auto const a = MakeFile("a");
  auto const b = MakeFile("b");
  ASSERT_EQ(RenameCode("a", "b", RENAME_EXCHANGE), 0);
  EXPECT_TRUE(Row(a).renamed);
  EXPECT_TRUE(Row(b).renamed);
}

TEST_F(Decided, EveryWayToChangeBytesForgets) {
  auto const inode = MakeFile("a", "12345");
  std::vector<std::function<void()>> const ways{[&] {
                                                  auto const handle = Open(inode, O_WRONLY);
                                                  Write(handle, 0, "x");
                                                  Close(handle);
                                                },
                                                [&] { Close(Open(inode, O_WRONLY | O_TRUNC)); },
                                                [&] { SetSize(inode, 100); },
                                                [&] { SetSize(inode, 0); },
                                                [&] {
                                                  auto const handle = Open(inode, O_RDWR);
                                                  SetSize(inode, 7, handle);
                                                  Close(handle);
                                                }};
  for (auto const& change : ways) {
    Approve(inode);
    ASSERT_EQ(RenameCode("a", "b"), 0);
    ASSERT_EQ(RenameCode("b", "a"), 0);
    change();
    EXPECT_FALSE(Row(inode).renamed);
    EXPECT_FALSE(Row(inode).approved);
  }
}

TEST_F(Decided, EachChangeAfterPublicationIsCounted) {
  auto const inode = MakeFile("a", "12345");
  auto const publish = [&] {
    ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  };
  auto const append = [&] {
    auto const handle = Open(inode, O_WRONLY);
    Write(handle, 5, "x");
    Write(handle, 6, "y");
    Close(handle);
  };
  append();
  EXPECT_EQ(Row(inode).regrown, 0) << "it was not published yet";
  publish();
  append();
  EXPECT_EQ(Row(inode).regrown, 1);
  append();
  EXPECT_EQ(Row(inode).regrown, 1) << "nor this time";
  publish();
  SetSize(inode, 100);
  EXPECT_EQ(Row(inode).regrown, 2);
  publish();
  Close(Open(inode, O_WRONLY));
  EXPECT_EQ(Row(inode).regrown, 2) << "only opened";
  ChangeRow(inode, [](Inode& row) { row.regrown = 255; });
  append();
  EXPECT_EQ(Row(inode).regrown, 255);
}

TEST_F(Decided, ANewBodyUnderAnOldNameSettlesLikeANewFile) {
  auto const inode = MakeFile("a", "12345");
  ChangeRow(inode, [](Inode& row) {
    row.content = Content::kUploaded;
    row.regrown = 7;
  });
  Close(Open(inode, O_WRONLY | O_TRUNC));
  EXPECT_EQ(Row(inode).regrown, 0);
}

TEST_F(Decided, NeitherReadingNorAttributesForget) {
  auto const inode = MakeFile("a", "12345");
  ASSERT_EQ(RenameCode("a", "b"), 0);
  Approve(inode);
  Close(Open(inode, O_WRONLY));
  EXPECT_EQ(BytesOf(inode), "12345");
  AttributeChange change;
  change.mode = 0600;
  change.modified = 1;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, inode, change, 0)));
  EXPECT_TRUE(Row(inode).renamed);
  EXPECT_TRUE(Row(inode).approved);
}

TEST_F(Decided, ASuccessorKnowsTheRenameOfAnOpenFile) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  ASSERT_EQ(RenameCode("a", "b"), 0);
  DaemonDies();
  EXPECT_TRUE(RowOf(created).renamed);
  Write(created.handle, 1, "y");
  EXPECT_FALSE(RowOf(created).renamed);
}

// ---- several writers

TEST_F(VerdictTest, TheFileWaitsForTheLastWriter) {
  auto const created = Create("a");
  auto const second = Open(created.attributes.inode, O_WRONLY, &other_);
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kWriting);
  Close(second, &other_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, ADeathSticksWhenTheOtherOnlyHadItOpen) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  auto const second = Open(created.attributes.inode, O_WRONLY, &other_);
  Write(created.handle, 0, "half", &doomed_);
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  Close(second, &other_);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, ADeathSticksUntilALaterWriterClosesCleanly) {
  auto const created = Create("a", O_WRONLY, &doomed_);
  Write(created.handle, 0, "half", &doomed_);
  processes_.Kill(doomed_.pid);
  Close(created.handle, &doomed_);
  auto const second = Open(created.attributes.inode, O_WRONLY, &other_);
  Write(second, 4, "rest", &other_);
  Close(second, &other_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AReaderNeitherDelaysNorDecides) {
  auto const created = Create("a");
  auto const reader = Open(created.attributes.inode, O_RDONLY, &doomed_);
  Write(created.handle, 0, "x");
  Close(created.handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
  processes_.Kill(doomed_.pid);
  Close(reader, &doomed_);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

// ---- rsync --partial

class PartOfRsync : public VerdictTest {
 protected:
  // Written and closed under rsync's temporary name, with this modification time.
  Filesystem::Created Closed(std::string const& name, FileTime modified) {
    auto const created = Create(name);
    Write(created.handle, 0, "half");
    Close(created.handle);
    SetModified(created, modified);
    return created;
  }
  void SetModified(Filesystem::Created const& created, FileTime modified) {
    AttributeChange change;
    change.modified = modified;
    ASSERT_TRUE(Ok(fs_->SetAttributes(me_, created.attributes.inode, change, 0)));
  }
};

TEST_F(PartOfRsync, ThatGetsItsFinalNameWithTheTime0IsInterrupted) {
  auto const created = Closed(".clip.mov.a1B2c3", 0);
  ASSERT_EQ(RenameCode(".clip.mov.a1B2c3", "clip.mov"), 0);
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_EQ(ReasonOf(created), "rsync was interrupted (--partial)");
}

TEST_F(PartOfRsync, IsInterruptedTooWhenItsReleaseComesAfterTheRename) {
  auto const created = Create(".clip.mov.a1B2c3");
  Write(created.handle, 0, "half");
  Flush(created.handle);
  SetModified(created, 999'999'999);
  ASSERT_EQ(RenameCode(".clip.mov.a1B2c3", "clip.mov"), 0);
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_EQ(ReasonOf(created), "rsync was interrupted (--partial)");
}

TEST_F(PartOfRsync, IsFinishedByTheNextRsync) {
  Closed(".clip.mov.a1B2c3", 0);
  ASSERT_EQ(RenameCode(".clip.mov.a1B2c3", "clip.mov"), 0);
  auto const whole = Closed(".clip.mov.x9Y8z7", 1'700'000'000'000'000'000);
  ASSERT_EQ(RenameCode(".clip.mov.x9Y8z7", "clip.mov"), 0);
  EXPECT_EQ(ContentOf(whole), Content::kSettling);
  EXPECT_EQ(InodeOf("clip.mov"), whole.attributes.inode);
}

TEST_F(PartOfRsync, IsNothingElseThatHasTheTime0) {
  auto const named = Closed("old.tape", 0);
  EXPECT_EQ(ContentOf(named), Content::kSettling);
  ASSERT_EQ(RenameCode("old.tape", "tape"), 0);
  EXPECT_EQ(ContentOf(named), Content::kSettling) << "another program's rename";
  auto const other = Closed(".clip.mov.a1B2c3", 0);
  ASSERT_EQ(RenameCode(".clip.mov.a1B2c3", "other.mov"), 0);
  EXPECT_EQ(ContentOf(other), Content::kSettling) << "not the name that rsync would give";
  auto const late = Closed(".clip.mov.a1B2c3", 1'000'000'000);
  ASSERT_EQ(RenameCode(".clip.mov.a1B2c3", "clip.mov"), 0);
  EXPECT_EQ(ContentOf(late), Content::kSettling) << "a second later";
}

// ---- afterwards

TEST_F(VerdictTest, AnInterruptedFileIsFinishedByBeingWrittenAgain) {
  auto const created = Interrupted("a");
  auto const handle = Open(created.attributes.inode, O_WRONLY | O_TRUNC);
  EXPECT_EQ(ContentOf(created), Content::kWriting);
  Write(handle, 0, "whole");
  Close(handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
  EXPECT_THAT(ReasonOf(created), IsEmpty());
}

TEST_F(VerdictTest, AnInterruptedFileIsFinishedByAnAppend) {
  auto const created = Interrupted("a");
  auto const handle = Open(created.attributes.inode, O_WRONLY);
  Write(handle, 4, " and the rest");
  Close(handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

TEST_F(VerdictTest, AnInterruptedFileStaysSoWhenItIsOnlyOpened) {
  auto const created = Interrupted("a");
  Close(Open(created.attributes.inode, O_WRONLY));
  Close(Open(created.attributes.inode, O_RDWR));
  Close(Open(created.attributes.inode, O_RDONLY));
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
  EXPECT_THAT(ReasonOf(created), HasSubstr("SIGKILL"));
}

TEST_F(VerdictTest, AnInterruptedFileStaysSoWhenItsAttributesAreSetOrItIsRenamed) {
  auto const created = Interrupted("a");
  AttributeChange change;
  change.mode = 0600;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, created.attributes.inode, change, 0)));
  ASSERT_EQ(RenameCode("a", "b"), 0);
  ASSERT_TRUE(Ok(fs_->Link(me_, created.attributes.inode, kRootInode, "c")));
  EXPECT_EQ(ContentOf(created), Content::kInterrupted);
}

TEST_F(VerdictTest, WritingAfterTheEndReturnsItToWriting) {
  for (auto const content : {Content::kSettling, Content::kFinished, Content::kUploaded}) {
    auto const created = Create("a");
    Write(created.handle, 0, "x");
    Close(created.handle);
    ChangeRow(created.attributes.inode, [&](Inode& row) { row.content = content; });
    auto const handle = Open(created.attributes.inode, O_WRONLY);
    Write(handle, 1, "y");
    EXPECT_EQ(ContentOf(created), Content::kWriting);
    processes_.Kill(me_.pid);
    Close(handle);
    EXPECT_EQ(ContentOf(created), Content::kInterrupted);
    processes_ = FakeProcesses();
    ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  }
}

TEST_F(VerdictTest, AFinishedFileThatIsReopenedForWritingIsNotPublishedMeanwhile) {
  auto const created = Create("a");
  Close(created.handle);
  ChangeRow(created.attributes.inode, [](Inode& row) { row.content = Content::kFinished; });
  auto const handle = Open(created.attributes.inode, O_WRONLY);
  EXPECT_EQ(ContentOf(created), Content::kWriting);
  Close(handle);
  EXPECT_EQ(ContentOf(created), Content::kSettling);
}

}  // namespace
}  // namespace tusfs
