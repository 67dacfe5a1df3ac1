// Settler: quiet time, then the bytes on disk, then finished.
#include "filesystem/settler.h"

#include <gmock/gmock.h>

#include <atomic>

#include "catalog/codec.h"
#include "testing/wait_for.h"
#include "uploader/file_rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tusfs_testing::WaitFor;

constexpr std::chrono::milliseconds kQuiet{2000};

class SettlerTest : public FileRig {
 protected:
  void Close() {
    ChangeInode([this](Inode& inode) {
      inode.content = Content::kSettling;
      inode.size = body_.size();
    });
  }

  std::vector<InodeId> finished_;
  std::vector<InodeId> asked_;
  Settler settler_{*store_,
                   *spool_,
                   rules_,
                   clock_,
                   {.quiet = kQuiet},
                   {.nudge = [this](InodeId inode) { finished_.push_back(inode); },
                    .ask = [this](InodeId inode) { asked_.push_back(inode); }},
                   logger_};
};

TEST_F(SettlerTest, ASettlingFileBecomesFinishedWithItsSizeOnDisk) {
  Append(1000);
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_EQ(TheInode().size, 1000U);
  EXPECT_EQ(TheInode().synced_size, 1000U);
  EXPECT_THAT(finished_, ElementsAre(kFile));
}

TEST_F(SettlerTest, OnlySettlingFilesDo) {
  Append(10);
  for (auto const content : {Content::kWriting, Content::kInterrupted, Content::kFailed,
                             Content::kUploaded, Content::kFinished}) {
    ChangeInode([&](Inode& inode) { inode.content = content; });
    settler_.Settle({kFile, 4711});
    EXPECT_EQ(TheInode().content, content);
  }
  EXPECT_THAT(finished_, IsEmpty());
}

TEST_F(SettlerTest, TemporaryNamesNeverSettle) {
  RenameTo("clip.mov.part");
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
  RenameTo("clip.mov");
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerTest, IgnoredNamesNeverSettleUnlessTheyAreRenamed) {
  RenameTo("._clip.mov");
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
  RenameTo("clip.mov");
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerTest, AFileThatWaitsForAPersonSettlesWhenItIsApproved) {
  rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kManual});
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
  ChangeInode([](Inode& inode) { inode.approved = true; });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerTest, AFileThatWaitsForTheCommandIsAskedAbout) {
  rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kCommand});
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
  EXPECT_THAT(asked_, ElementsAre(kFile));
}

TEST_F(SettlerTest, AnInterruptedFileIsPublishedAsItIsWhereThatIsWanted) {
  Append(10);
  Close();
  ChangeInode([](Inode& inode) {
    inode.content = Content::kInterrupted;
    inode.reason = "killed";
  });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kInterrupted);
  rules_.publish_interrupted = true;
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_THAT(TheInode().reason, IsEmpty());
}

TEST_F(SettlerTest, WhateverAFileWaitsForItsBytesArePutOnDisk) {
  Append(10);
  rules_.finish.push_back({Glob::Parse("command*").value(), FinishBy::kCommand});
  rules_.finish.push_back({Glob::Parse("manual*").value(), FinishBy::kManual});
  rules_.finish.push_back({Glob::Parse("rename*").value(), FinishBy::kRename});
  for (auto const* name : {"clip.mov.part", "._clip", "command", "manual", "rename"}) {
    SCOPED_TRACE(name);
    RenameTo(name);
    Close();
    ChangeInode([](Inode& inode) {
      inode.synced = false;
      inode.synced_size = 0;
    });
    settler_.Settle({kFile});
    EXPECT_EQ(TheInode().content, Content::kSettling);
    EXPECT_TRUE(TheInode().synced);
    EXPECT_EQ(TheInode().synced_size, 10U);
  }
  EXPECT_THAT(finished_, IsEmpty());
}

TEST_F(SettlerTest, ByWrittenAFileIsFinishedWhenEachOfItsBytesWasWritten) {
  rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kWritten});
  Append(100'000);
  ASSERT_TRUE(Ok(version_->Truncate(300'000)));
  Close();
  ChangeInode([](Inode& inode) { inode.size = 300'000; });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
  std::string const rest(200'000, 'r');
  ASSERT_TRUE(Ok(version_->Write(100'000, std::as_bytes(std::span(rest)))));
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerTest, AnInterruptedFileHasItsBytesPutOnDiskToo) {
  Append(10);
  Close();
  ChangeInode([](Inode& inode) {
    inode.content = Content::kInterrupted;
    inode.reason = "killed";
  });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kInterrupted);
  EXPECT_EQ(TheInode().reason, "killed");
  EXPECT_TRUE(TheInode().synced);
  EXPECT_THAT(finished_, IsEmpty());
}

TEST_F(SettlerTest, AFileThatAPowerCutHasCutShortIsNeverPublishedByItself) {
  rules_.publish_interrupted = true;
  Append(10);
  Close();
  ChangeInode([](Inode& inode) {
    inode.content = Content::kInterrupted;
    inode.size_before = 20;
  });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kInterrupted);
}

TEST_F(SettlerTest, AFileThatTheSpoolHasLessOfFailsAndSaysSo) {
  Append(10);
  Close();
  ChangeInode([](Inode& inode) { inode.size = 11; });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFailed);
  EXPECT_EQ(TheInode().reason, "the spool has 10 bytes of its 11");
}

TEST_F(SettlerTest, AMovedDirectoryHasItsFilesLookedAt) {
  Inode directory;
  directory.id = 20;
  directory.type = FileType::kDirectory;
  auto const moved = store_->Update([&](Transaction& transaction) -> Result<void> {
    auto root = GetInode(transaction, kRootInode);
    auto file = GetInode(transaction, kFile);
    auto const entry = FindEntry(transaction, kRootInode, "file.bin");
    if (auto taken = RemoveEntry(transaction, kRootInode, "file.bin", **entry, *file); !taken) {
      return taken;
    }
    AddEntry(transaction, *root, "directory", directory);
    AddEntry(transaction, directory, "file.bin", *file);
    for (auto const& inode : {*root, directory, *file}) PutInode(transaction, inode);
    return {};
  });
  ASSERT_TRUE(Ok(moved));
  Close();
  settler_.Settle({directory.id});
  EXPECT_THAT(finished_, ElementsAre(kFile)) << "the uploader is told";
  EXPECT_EQ(TheInode().content, Content::kSettling) << "and its quiet time starts over";
  finished_.clear();
  ChangeInode([](Inode& inode) { inode.content = Content::kUploaded; });
  settler_.Settle({directory.id});
  EXPECT_THAT(finished_, IsEmpty()) << "what is uploaded stays so";
}

TEST_F(SettlerTest, AFileWhoseBytesAreGoneFailsAndSaysWhy) {
  Append(10);
  Close();
  version_.reset();
  ASSERT_TRUE(Ok(spool_->Remove(kFile)));
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFailed);
  EXPECT_FALSE(TheInode().reason.empty());
  EXPECT_THAT(finished_, IsEmpty());
}

// ---- many at once

class SettlerOfMany : public SettlerTest {
 protected:
  /// Closed files, each with a row and a version, empty both.
  void CloseMany() {
    for (InodeId id = 100; id < 130; ++id) {
      ASSERT_TRUE(Ok(spool_->Create(id)));
      Inode inode;
      inode.id = inode.version = id;
      inode.links = 1;
      inode.content = Content::kSettling;
      Put(inode);
      files_.push_back(id);
    }
  }
  void Put(Inode const& inode) {
    ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
      PutInode(transaction, inode);
      return {};
    })));
  }
  [[nodiscard]] Inode InodeOf(InodeId id) const {
    return store_->Read([id](View const& view) { return GetInode(view, id); }).value();
  }
  [[nodiscard]] std::vector<InodeId> FilesBut(InodeId one) const {
    auto others = files_;
    std::erase(others, one);
    return others;
  }

  std::vector<InodeId> files_;
};

TEST_F(SettlerOfMany, AllBecomeFinished) {
  CloseMany();
  settler_.Settle(files_);
  EXPECT_EQ(finished_, files_);
}

TEST_F(SettlerOfMany, WhatTheDiskHasLostOfOneKeepsNoOtherOneBack) {
  CloseMany();
  auto short_one = InodeOf(files_[7]);
  short_one.size = 11;
  Put(short_one);
  settler_.Settle(files_);
  EXPECT_EQ(finished_, FilesBut(files_[7]));
  EXPECT_EQ(InodeOf(files_[7]).content, Content::kFailed);
}

TEST_F(SettlerOfMany, ADamagedRowOfOneKeepsNoOtherOneBack) {
  CloseMany();
  auto asked = InodeOf(files_.back());
  asked.name = "asked";
  Put(asked);
  rules_.finish.push_back({Glob::Parse("asked").value(), FinishBy::kCommand});
  // When all are chosen, and none is finished yet.
  auto const damage = [this](InodeId) {
    ASSERT_TRUE(Ok(store_->Update([this](Transaction& transaction) -> Result<void> {
      transaction.Put(Table::kInodes, Key(files_[7]), "no row");
      return {};
    })));
  };
  Settler settler(*store_, *spool_, rules_, clock_, {.quiet = kQuiet},
                  {.nudge = [this](InodeId inode) { finished_.push_back(inode); }, .ask = damage},
                  logger_);
  settler.Settle(files_);
  auto others = FilesBut(files_[7]);
  others.pop_back();  // nobody has answered
  EXPECT_EQ(finished_, others);
}

// ---- its content

class SettlerCheck : public SettlerTest {
 protected:
  SettlerCheck() {
    rules_.check.push_back({Glob::Parse("raw*").value(), ContentCheck::kNone});
    rules_.check.push_back({Glob::Parse("*").value(), ContentCheck::kMedia});
  }

  /// A film whose mdat goes on to byte 4096, of which the first 2048 are here.
  void WriteCutFilm() {
    Append(2048);
    body_.replace(0, 16, std::string("\0\0\0\x08wide\0\0\x0f\xf8mdat", 16));
    ASSERT_TRUE(Ok(version_->Write(0, std::as_bytes(std::span(body_).first(16)))));
    RenameTo("clip.mov");
    Close();
  }
};

TEST_F(SettlerCheck, AFileThatIsPlainlyCutIsInterruptedAndSaysWhy) {
  WriteCutFilm();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kInterrupted);
  EXPECT_EQ(TheInode().reason, "its mdat says 4.1 kB, the file has 2.0 kB");
  EXPECT_TRUE(TheInode().synced);
  EXPECT_EQ(TheInode().synced_size, 2048U);
  EXPECT_THAT(finished_, IsEmpty());
}

TEST_F(SettlerCheck, AFileThatSomebodyHasApprovedIsNotLookedAt) {
  WriteCutFilm();
  ChangeInode([](Inode& inode) { inode.approved = true; });
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_THAT(finished_, ElementsAre(kFile));
}

TEST_F(SettlerCheck, TheFirstPatternThatMatchesCounts) {
  WriteCutFilm();
  RenameTo("raw.mov");
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerCheck, WhatIsOfAnotherFormatIsFinished) {
  Append(1000);
  Close();
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerCheck, NothingIsKnownAgainstAFileWhoseHeadWasTrimmed) {
  Append(1 << 20);
  WriteCutFilm();
  ASSERT_TRUE(Ok(version_->TrimTo(1 << 19)));
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerCheck, AFileThatIsHeldForSomethingElseIsNotLookedAt) {
  WriteCutFilm();
  RenameTo("clip.mov.part");
  settler_.Settle({kFile});
  EXPECT_EQ(TheInode().content, Content::kSettling);
}

// ---- time

class SettlerThread : public SettlerTest {
 protected:
  ~SettlerThread() override {
    if (threaded_) threaded_->Stop();
  }

  // Its own clock is the machine's: the thread waits for real.
  void Start(std::chrono::milliseconds quiet) {
    threaded_ = std::make_unique<Settler>(
        *store_, *spool_, rules_, system_clock_, SettleTimes{.quiet = quiet},
        Settler::Listeners{.nudge = [this](InodeId) { ++count_; }, .ask = [](InodeId) {}}, logger_);
    threaded_->Start();
  }

  SystemClock system_clock_;
  std::atomic<int> count_ = 0;
  std::unique_ptr<Settler> threaded_;
};

TEST_F(SettlerThread, TheQuietTimeStartsOverWithEachRestart) {
  Append(10);
  Close();
  constexpr std::chrono::milliseconds kShort{300};
  Start(kShort);
  // Restarted more often than the quiet time lasts, for longer than it lasts.
  auto const end = system_clock_.Steady() + 3 * kShort;
  auto last = system_clock_.Steady();
  bool late = false;
  while (system_clock_.Steady() < end && count_ == 0 && !late) {
    auto const now = system_clock_.Steady();
    late = now - last > kShort / 2;
    last = now;
    threaded_->Restart(kFile);
    std::this_thread::yield();
  }
  if (late) GTEST_SKIP() << "the machine is too busy to tell";
  EXPECT_EQ(count_, 0);
  auto const quiet_since = system_clock_.Steady();
  ASSERT_TRUE(WaitFor([&] { return count_ == 1; }));
  EXPECT_GE(system_clock_.Steady() - quiet_since, kShort - std::chrono::milliseconds(50));
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(SettlerThread, AFileThatWasChangedAfterItWasPublishedSettlesForLonger) {
  Append(10);
  Close();
  constexpr std::chrono::milliseconds kShort{50};
  ChangeInode([](Inode& inode) { inode.regrown = 3; });
  Start(kShort);
  auto const closed = system_clock_.Steady();
  threaded_->Restart(kFile);
  ASSERT_TRUE(WaitFor([&] { return count_ == 1; }));
  EXPECT_GE(system_clock_.Steady() - closed, 8 * kShort);
}

TEST_F(SettlerThread, AnApprovedFileIsHurriedThroughWhateverItsQuietTime) {
  Append(10);
  Close();
  Start(std::chrono::hours(1));
  threaded_->Restart(kFile);
  ChangeInode([](Inode& inode) {
    inode.regrown = 200;
    inode.approved = true;
  });
  threaded_->Hurry(kFile);
  EXPECT_TRUE(WaitFor([&] { return count_ == 1; }));
}

// ---- rules

class SettlerRules : public SettlerTest {
 protected:
  void Rule(std::string const& glob, std::chrono::milliseconds settle) {
    auto rules = rules_.by_path.all();
    rules.push_back({.files = GlobsOf({glob}), .settle = settle});
    rules_.by_path = PathRules(rules);
  }
  /// Whether the file is finished when it was left alone for so long in all.
  bool IsFinishedAfter(std::chrono::milliseconds time) {
    clock_.Advance(time - left_alone_);
    left_alone_ = time;
    while (settler_.SettleDue()) {
    }
    return TheInode().content == Content::kFinished;
  }

  std::chrono::milliseconds left_alone_{0};
};

TEST_F(SettlerRules, AFileSettlesAsLongAsTheRuleOfItsPathSays) {
  Rule("*.mov", 5 * kQuiet);
  Rule("*.xml", kQuiet / 4);
  RenameTo("clip.mov");
  Close();
  settler_.Restart(kFile);
  EXPECT_FALSE(IsFinishedAfter(5 * kQuiet - std::chrono::milliseconds(1)));
  EXPECT_TRUE(IsFinishedAfter(5 * kQuiet));
}

TEST_F(SettlerRules, AShorterOneEndsBeforeTheMountsOwn) {
  Rule("*.xml", kQuiet / 4);
  RenameTo("clip.xml");
  Close();
  settler_.Restart(kFile);
  EXPECT_FALSE(IsFinishedAfter(kQuiet / 4 - std::chrono::milliseconds(1)));
  EXPECT_TRUE(IsFinishedAfter(kQuiet / 4));
}

TEST_F(SettlerRules, OthersSettleAsBefore) {
  Rule("*.mov", std::chrono::milliseconds(0));
  Close();
  settler_.Restart(kFile);
  EXPECT_FALSE(IsFinishedAfter(kQuiet - std::chrono::milliseconds(1)));
  EXPECT_TRUE(IsFinishedAfter(kQuiet));
}

TEST_F(SettlerRules, ARenameIntoAnotherPatternCounts) {
  Rule("*.mov", 5 * kQuiet);
  RenameTo("clip.mov");
  Close();
  settler_.Restart(kFile);
  EXPECT_FALSE(IsFinishedAfter(kQuiet));
  RenameTo("clip.bin");
  settler_.Restart(kFile);
  EXPECT_TRUE(IsFinishedAfter(2 * kQuiet));
}

TEST(QuietTimeOf, OfARuleDoublesLikewise) {
  SettleTimes const times{.quiet = std::chrono::seconds(2), .limit = std::chrono::seconds(900)};
  Inode inode;
  inode.regrown = 2;
  EXPECT_EQ(times.QuietTimeOf(inode, std::chrono::seconds(5)), std::chrono::seconds(20));
  inode.approved = true;
  EXPECT_EQ(times.QuietTimeOf(inode, std::chrono::seconds(5)), std::chrono::seconds(0));
}

TEST(QuietTimeOf, DoublesWithEachChangeAfterPublicationUpToItsLimit) {
  SettleTimes const times{.quiet = std::chrono::seconds(2), .limit = std::chrono::seconds(900)};
  Inode inode;
  EXPECT_EQ(times.QuietTimeOf(inode), std::chrono::seconds(2));
  inode.regrown = 1;
  EXPECT_EQ(times.QuietTimeOf(inode), std::chrono::seconds(4));
  inode.regrown = 8;
  EXPECT_EQ(times.QuietTimeOf(inode), std::chrono::seconds(512));
  inode.regrown = 255;
  EXPECT_EQ(times.QuietTimeOf(inode), std::chrono::seconds(900));
  SettleTimes const longer{.quiet = std::chrono::hours(1), .limit = std::chrono::seconds(900)};
  EXPECT_EQ(longer.QuietTimeOf(inode), std::chrono::hours(1)) << "the limit is of the doubling";
  SettleTimes const none{.quiet = std::chrono::seconds(0), .limit = std::chrono::seconds(900)};
  EXPECT_EQ(none.QuietTimeOf(inode), std::chrono::seconds(0));
}

TEST_F(SettlerThread, StopEndsAtOnceWhateverWaits) {
  Start(std::chrono::hours(1));
  threaded_->Restart(kFile);
  auto const before = system_clock_.Steady();
  threaded_->Stop();
  EXPECT_LT(system_clock_.Steady() - before, std::chrono::seconds(5));
  EXPECT_EQ(count_, 0);
}

TEST_F(SettlerThread, AWriterWhoComesDuringTheSyncIsNotPublished) {
  // Whatever the settler finishes has, from then on, no byte that it did not sync.
  Start(std::chrono::milliseconds(0));
  for (int i = 0; i < 100; ++i) {
    Append(1000);
    Close();
    threaded_->Restart(kFile);
    auto const bytes = std::string("late");
    // Races with the settler: either it is finished with 1000 more bytes, or not at all.
    ChangeInode([](Inode& inode) {
      if (inode.content == Content::kSettling) inode.content = Content::kWriting;
    });
    ASSERT_TRUE(Ok(version_->Write(body_.size(), std::as_bytes(std::span(bytes)))));
    auto const inode = TheInode();
    if (inode.content == Content::kFinished) {
      EXPECT_EQ(inode.size, body_.size());
    }
    ASSERT_TRUE(Ok(version_->Truncate(body_.size())));
    ChangeInode([](Inode& row) { row.content = Content::kWriting; });
  }
}

}  // namespace
}  // namespace tusfs
