// What the end of a process makes of the files that it had closed.
#include "filesystem/writer_ends.h"

#include <signal.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

/// Ends when a test says so.
class FakeEnds : public ProcessEnds {
 public:
  bool Watch(pid_t process) override { return watched_.insert(process).second; }
  void Forget(pid_t process) override { watched_.erase(process); }
  std::vector<ProcessEnd> Wait(std::optional<SteadyTime>) override {
    return std::exchange(ends_, {});
  }
  void Wake() override {}

  void End(pid_t process, int status) {
    if (watched_.erase(process) > 0) ends_.push_back({process, status});
  }
  [[nodiscard]] std::set<pid_t> const& watched() const { return watched_; }

 private:
  std::set<pid_t> watched_;
  std::vector<ProcessEnd> ends_;
};

class Programs : public FakeProcesses {
 public:
  [[nodiscard]] ProgramNames NamesOf(pid_t process) const override {
    auto const found = names_.find(process);
    return found == names_.end() ? ProgramNames{"recorder", "recorder"} : found->second;
  }
  [[nodiscard]] pid_t ParentOf(pid_t process) const override {
    auto const found = parents_.find(process);
    return found == parents_.end() ? 1 : found->second;
  }
  void Call(pid_t process, std::string const& name) { names_[process] = {name, name}; }
  void Fork(pid_t parent, pid_t process) {
    parents_[process] = parent;
    names_[process] = NamesOf(parent);
  }

 private:
  std::map<pid_t, pid_t> parents_;
  std::map<pid_t, ProgramNames> names_;
};

constexpr int Exited(int code) { return code << 8; }
constexpr std::chrono::milliseconds kWatched{2000};

class WriterEndsTest : public FilesystemRig {
 protected:
  WriterEndsTest() {
    fs_ = std::make_unique<Filesystem>(*store_, *spool_, *uploader_, *finishing_,
                                       WriterSight(programs_, &writers_), clock_, connection_,
                                       logger_);
  }

  /// Written and closed by this process.
  InodeId Copy(std::string const& name, pid_t process) {
    Caller const who{.uid = 1000, .gid = 1000, .pid = process};
    auto const file = Create(name, O_WRONLY, &who);
    Write(file.handle, 0, "bytes", &who);
    Close(file.handle, &who);
    return file.attributes.inode;
  }
  void End(pid_t process, int status) {
    ends_.End(process, status);
    writers_.WaitForEnds(std::nullopt);
  }
  [[nodiscard]] bool IsInterrupted(InodeId inode) {
    return Row(inode).content == Content::kInterrupted;
  }

  Programs programs_;
  FakeEnds ends_;
  WriterEnds writers_{*store_, programs_, ends_, clock_, {.watched = kWatched}, logger_};
};

TEST_F(WriterEndsTest, AProgramThatEndsByTheTableInterruptsWhatItHadClosed) {
  programs_.Call(7, "curl");
  auto const first = Copy("first", 7);
  auto const second = Copy("second", 7);
  EXPECT_FALSE(IsInterrupted(second));
  End(7, Exited(18));
  EXPECT_TRUE(IsInterrupted(first) && IsInterrupted(second));
  EXPECT_EQ(Row(second).reason, "curl ended with status 18 after it had closed it");
}

TEST_F(WriterEndsTest, AGoodEndAndAnUnknownProgramsErrorSayNothing) {
  programs_.Call(7, "curl");
  auto const good = Copy("good", 7);
  End(7, 0);
  EXPECT_FALSE(IsInterrupted(good));
  auto const other = Copy("other", 8);
  End(8, Exited(1));
  EXPECT_FALSE(IsInterrupted(other));
}

TEST_F(WriterEndsTest, ASignalInterruptsTheLastOnly) {
  auto const first = Copy("first", 7);
  auto const last = Copy("last", 7);
  End(7, SIGINT);
  EXPECT_FALSE(IsInterrupted(first));
  EXPECT_TRUE(IsInterrupted(last));
}

TEST_F(WriterEndsTest, WhatHasItsFinalNameIsFinished) {
  programs_.Call(7, "curl");
  auto const file = Copy(".clip.mov.Ab3dEf", 7);
  EXPECT_EQ(RenameCode(".clip.mov.Ab3dEf", "clip.mov"), 0);
  End(7, Exited(18));
  EXPECT_FALSE(IsInterrupted(file));
}

TEST_F(WriterEndsTest, WhatAnotherHasClosedSinceIsThatOnes) {
  programs_.Call(7, "curl");
  auto const file = Copy("f", 7);
  Caller const other{.uid = 1000, .gid = 1000, .pid = 8};
  auto const handle = Open(file, O_WRONLY, &other);
  Write(handle, 0, "mended", &other);
  Close(handle, &other);
  End(7, Exited(18));
  EXPECT_FALSE(IsInterrupted(file));
}

TEST_F(WriterEndsTest, AWriterThatEndsBeforeItsReleaseIsSeenInterruptsToo) {
  programs_.Call(7, "dd");
  Caller const who{.uid = 1000, .gid = 1000, .pid = 7};
  auto const file = Create("f", O_WRONLY, &who);
  Write(file.handle, 0, "bytes", &who);
  Flush(file.handle, &who);
  End(7, Exited(1));
  EXPECT_TRUE(Ok(fs_->Release(file.handle)));
  EXPECT_TRUE(IsInterrupted(file.attributes.inode));
}

TEST_F(WriterEndsTest, NobodyIsWatchedForLongerThanItsFilesSettle) {
  programs_.Call(7, "curl");
  auto const early = Copy("early", 7);
  clock_.Advance(kWatched / 2);
  auto const late = Copy("late", 7);
  clock_.Advance(kWatched / 2);
  writers_.WaitForEnds(std::nullopt);
  EXPECT_THAT(ends_.watched(), testing::ElementsAre(7));
  End(7, Exited(18));
  EXPECT_FALSE(IsInterrupted(early));
  EXPECT_TRUE(IsInterrupted(late));
  Copy("another", 8);
  clock_.Advance(kWatched);
  writers_.WaitForEnds(std::nullopt);
  EXPECT_THAT(ends_.watched(), testing::IsEmpty());
}

TEST_F(WriterEndsTest, AFileThatWasRemovedOrFinishedStaysSo) {
  programs_.Call(7, "curl");
  auto const finished = Copy("finished", 7);
  auto const removed = Copy("removed", 7);
  ChangeRow(finished, [](Inode& row) { row.content = Content::kFinished; });
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "removed")));
  End(7, Exited(18));
  EXPECT_EQ(Row(finished).content, Content::kFinished);
  EXPECT_FALSE(HasRow(removed));
}

TEST_F(WriterEndsTest, ThreadsCloseForTheirProcess) {
  programs_.Call(7, "aria2c");
  programs_.Thread(70, 7);
  auto const file = Copy("f", 70);
  EXPECT_THAT(ends_.watched(), testing::ElementsAre(7));
  End(7, Exited(7));
  EXPECT_TRUE(IsInterrupted(file));
}

TEST_F(WriterEndsTest, OfRsyncTheProcessThatStartedTheOthersCounts) {
  programs_.Call(7, "rsync");
  programs_.Fork(7, 8);
  programs_.Fork(8, 9);
  auto const file = Copy("f", 9);
  auto const other = Copy("other", 10);
  EXPECT_THAT(ends_.watched(), testing::ElementsAre(7, 8, 9, 10));
  End(9, 0);
  EXPECT_FALSE(IsInterrupted(file));
  End(8, Exited(23));
  EXPECT_TRUE(IsInterrupted(file));
  EXPECT_FALSE(IsInterrupted(other));
}

TEST_F(WriterEndsTest, AWorkerOfAnotherProgramAnswersForItself) {
  programs_.Call(7, "python3");
  programs_.Fork(7, 8);
  programs_.Fork(7, 9);
  programs_.Fork(7, 10);
  auto const good = Copy("good", 8);
  auto const bad = Copy("bad", 9);
  auto const stopped = Copy("stopped", 10);
  EXPECT_THAT(ends_.watched(), testing::ElementsAre(8, 9, 10));
  End(8, SIGTERM);  // as a pool ends its workers
  End(9, Exited(1));
  End(10, SIGINT);
  EXPECT_FALSE(IsInterrupted(good));
  EXPECT_TRUE(IsInterrupted(bad) && IsInterrupted(stopped));
}

// rsync --partial gives its final name to what failed, gio copies over what is there.
TEST_F(WriterEndsTest, ANameThatTheFailingProgramItselfGaveSaysNothingWithoutATime) {
  programs_.Call(7, "rsync");
  auto const whole = Copy(".whole.Ab3dEf", 7);
  auto const part = Copy(".part.Ab3dEf", 7);
  AttributeChange time;
  time.modified = clock_.Wall() - 3'600'000'000'000;
  EXPECT_TRUE(Ok(fs_->SetAttributes(me_, whole, time, 0)));
  EXPECT_EQ(RenameCode(".whole.Ab3dEf", "whole"), 0);
  EXPECT_EQ(RenameCode(".part.Ab3dEf", "part"), 0);
  End(7, Exited(23));
  EXPECT_FALSE(IsInterrupted(whole));
  EXPECT_TRUE(IsInterrupted(part));
}

TEST_F(WriterEndsTest, WhatWasOnlyMadeOrEmptiedIsWatchedToo) {
  programs_.Call(7, "dd");
  Caller const who{.uid = 1000, .gid = 1000, .pid = 7};
  auto const made = Create("made", O_WRONLY, &who);
  Close(made.handle, &who);
  auto const emptied = MakeFile("emptied", "a good copy");
  Close(Open(emptied, O_WRONLY | O_TRUNC, &who), &who);
  End(7, Exited(1));
  EXPECT_TRUE(IsInterrupted(made.attributes.inode) && IsInterrupted(emptied));
}

TEST_F(WriterEndsTest, WhatIsEmptyIsHeldAfterAnyErrorOfAProgramOfTheTable) {
  for (auto const& [process, name] : {std::pair(7, "wget"), std::pair(8, "recorder")}) {
    programs_.Call(process, name);
    Caller const who{.uid = 1000, .gid = 1000, .pid = process};
    auto const empty = Create(name, O_WRONLY, &who);
    Close(empty.handle, &who);
    auto const full = Copy(std::string(name) + " full", process);
    End(process, Exited(8));
    EXPECT_EQ(IsInterrupted(empty.attributes.inode), process == 7) << name;
    EXPECT_FALSE(IsInterrupted(full)) << name;
  }
}

TEST_F(WriterEndsTest, TheCommandOfAShellThatWroteNothingHasASay) {
  programs_.Call(7, "sh");
  programs_.Call(8, "cat");
  Caller const shell{.uid = 1000, .gid = 1000, .pid = 7};
  Caller const command{.uid = 1000, .gid = 1000, .pid = 8};
  auto const file = Create("f", O_WRONLY, &shell);
  Flush(file.handle, &command);
  Close(file.handle, &shell);
  End(8, Exited(1));
  EXPECT_TRUE(IsInterrupted(file.attributes.inode));
  // But not against what another has written since.
  auto const other = Create("other", O_WRONLY, &shell);
  Flush(other.handle, &command);
  clock_.Advance(std::chrono::milliseconds(1));
  Write(other.handle, 0, "bytes", &shell);
  Close(other.handle, &shell);
  End(8, Exited(1));
  EXPECT_FALSE(IsInterrupted(other.attributes.inode));
}

TEST_F(WriterEndsTest, AnyBadEndSpeaksAgainstADoubtfulCopy) {
  auto const doubtful = Copy("doubtful", 7);
  auto const other = Copy("other", 7);
  writers_.Closed(7, doubtful, WriterEnds::Kind::kDoubtful);
  End(7, Exited(1));
  EXPECT_TRUE(IsInterrupted(doubtful));
  EXPECT_FALSE(IsInterrupted(other));
  auto const good = Copy("good", 8);
  writers_.Closed(8, good, WriterEnds::Kind::kDoubtful);
  End(8, 0);
  EXPECT_FALSE(IsInterrupted(good));
}

TEST_F(WriterEndsTest, WhoMerelyHasTheFileOpenDoesNotMendIt) {
  programs_.Call(7, "cat");
  auto const file = MakeFile("f", "uploaded");
  ChangeRow(file, [](Inode& row) { row.content = Content::kUploaded; });
  Caller const cat{.uid = 1000, .gid = 1000, .pid = 7};
  auto const idle = Open(file, O_RDWR);
  auto const handle = Open(file, O_WRONLY, &cat);
  Write(handle, 8, "half", &cat);
  Close(handle, &cat);
  End(7, Exited(1));
  Close(idle);
  EXPECT_TRUE(IsInterrupted(file));
}

TEST_F(WriterEndsTest, AProcessOfAnotherProgramIsNotAskedForIt) {
  programs_.Call(7, "bash");
  programs_.Fork(7, 8);
  programs_.Call(8, "cat");
  Copy("f", 8);
  EXPECT_THAT(ends_.watched(), testing::ElementsAre(8));
}

TEST_F(WriterEndsTest, WhatTheSameProcessClosesAgainIsWatchedFromThenOn) {
  programs_.Call(7, "curl");
  auto const file = Copy("f", 7);
  clock_.Advance(kWatched / 2);
  Caller const who{.uid = 1000, .gid = 1000, .pid = 7};
  auto const handle = Open(file, O_WRONLY, &who);
  Write(handle, 0, "again", &who);
  Close(handle, &who);
  clock_.Advance(kWatched / 2);
  writers_.WaitForEnds(std::nullopt);
  End(7, Exited(18));
  EXPECT_TRUE(IsInterrupted(file));
}

TEST_F(WriterEndsTest, WithoutAQuietTimeNobodyIsWatched) {
  WriterEnds writers(*store_, programs_, ends_, clock_, {.watched = std::chrono::milliseconds(0)},
                     logger_);
  writers.Closed(7, 1);
  EXPECT_THAT(ends_.watched(), testing::IsEmpty());
}

}  // namespace
}  // namespace tusfs
