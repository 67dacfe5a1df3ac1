// Decisions: what a person may say of a file, and the sentences where that makes no sense.
#include "filesystem/decisions.h"

#include <gmock/gmock.h>

#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DecisionsTest : public FilesystemRig {
 protected:
  using Call = Result<Decisions::Outcomes> (*)(Decisions&, std::string const&);

  Decisions::Outcomes Say(Call call, std::string const& path) {
    Decisions decisions(*store_, fs_->open_files(), fs_->shrinker(), *uploader_, *finishing_,
                        clock_);
    auto outcomes = call(decisions, path);
    EXPECT_TRUE(Ok(outcomes));
    return outcomes.value_or(Decisions::Outcomes{});
  }
  // Of one file: empty where it is done.
  std::string RefusalOf(Call call, std::string const& path) {
    auto const outcomes = Say(call, path);
    EXPECT_EQ(outcomes.size(), 1U);
    return outcomes.empty() ? "nothing" : outcomes[0].refusal;
  }
  std::vector<std::string> Done(Call call, std::string const& path) {
    std::vector<std::string> paths;
    for (auto const& outcome : Say(call, path)) {
      EXPECT_EQ(outcome.refusal, "");
      paths.push_back(outcome.path);
    }
    return paths;
  }

  InodeId FileThatIs(std::string const& name, Content content, InodeId parent = kRootInode) {
    auto const inode = MakeFile(name, "12345", parent);
    ChangeRow(inode, [&](Inode& row) {
      row.content = content;
      if (content == Content::kInterrupted) row.reason = "killed";
      if (content == Content::kFailed) row.reason = "the disk says no";
    });
    return inode;
  }
  InodeId StuckFile(std::string const& name, UploadPhase phase) {
    auto const inode = FileThatIs(name, Content::kFinished);
    GiveUpload(inode, 5, phase);
    return inode;
  }
  std::string StateOf(std::string const& path) {
    auto const reports = Reporter(*store_, *spool_, *uploader_, *finishing_).List(path);
    EXPECT_TRUE(Ok(reports));
    return std::string(reports.value().at(0).state);
  }

  bool GoesFirst(std::string const& path) {
    auto const reports = Reporter(*store_, *spool_, *uploader_, *finishing_).List(path);
    EXPECT_TRUE(Ok(reports));
    return reports.value().at(0).goes_first;
  }

  static constexpr Call kPrioritize = [](Decisions& decisions, std::string const& path) {
    return decisions.Prioritize(path, true);
  };
  static constexpr Call kInTurn = [](Decisions& decisions, std::string const& path) {
    return decisions.Prioritize(path, false);
  };
  static constexpr Call kPublish = [](Decisions& decisions, std::string const& path) {
    return decisions.Publish(path);
  };
  static constexpr Call kRetry = [](Decisions& decisions, std::string const& path) {
    return decisions.Retry(path);
  };
  static constexpr Call kAccept = [](Decisions& decisions, std::string const& path) {
    return decisions.Accept(path);
  };
};

// ---- prioritize

TEST_F(DecisionsTest, AFileOrADirectoryGoesFirstUntilThatIsTakenBack) {
  auto const directory = MakeDir("day");
  FileThatIs("a", Content::kFinished);
  FileThatIs("b", Content::kFinished, directory);
  EXPECT_EQ(RefusalOf(kPrioritize, "a"), "");
  EXPECT_EQ(RefusalOf(kPrioritize, "day"), "");
  EXPECT_TRUE(GoesFirst("a"));
  EXPECT_TRUE(GoesFirst("day/b"));
  FileThatIs("later", Content::kFinished, directory);
  EXPECT_TRUE(GoesFirst("day/later"));
  EXPECT_EQ(RefusalOf(kInTurn, "day"), "");
  EXPECT_FALSE(GoesFirst("day/b"));
  EXPECT_TRUE(GoesFirst("a"));
}

TEST_F(DecisionsTest, WhatIsNotSentDoesNotGoFirst) {
  FileThatIs("done", Content::kUploaded);
  FileThatIs(".DS_Store", Content::kFinished);
  EXPECT_THAT(RefusalOf(kPrioritize, "done"), HasSubstr("uploaded already"));
  EXPECT_THAT(RefusalOf(kPrioritize, ".DS_Store"), HasSubstr("ignored pattern"));
  EXPECT_THAT(RefusalOf(kPrioritize, ""), HasSubstr("name a file or a directory"));
  EXPECT_FALSE(GoesFirst("done"));
}

// ---- publish

TEST_F(DecisionsTest, AnInterruptedFileIsPublishedAsItIs) {
  auto const inode = FileThatIs("a", Content::kInterrupted);
  EXPECT_EQ(RefusalOf(kPublish, "a"), "");
  EXPECT_EQ(Row(inode).content, Content::kSettling);
  EXPECT_TRUE(Row(inode).approved);
  EXPECT_THAT(Row(inode).reason, IsEmpty());
}

TEST_F(DecisionsTest, PublishingEndsTheQuietTime) {
  StartThreads();  // of an hour in this rig
  auto const inode = FileThatIs("a.part", Content::kInterrupted);
  EXPECT_EQ(RefusalOf(kPublish, "a.part"), "");
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Row(inode).content == Content::kFinished; }));
}

TEST_F(DecisionsTest, AFileThatWaitsForAPersonHasOne) {
  rules_.finish = {{Glob::Parse("*").value(), FinishBy::kManual}};
  Remount();
  auto const inode = FileThatIs("a", Content::kSettling);
  EXPECT_EQ(RefusalOf(kPublish, "a"), "");
  EXPECT_EQ(rules_.HoldOf(Row(inode), "a"), Hold::kNone);
}

TEST_F(DecisionsTest, PublishingWhatIsOnItsWayIsDone) {
  FileThatIs("a", Content::kFinished);
  EXPECT_EQ(RefusalOf(kPublish, "a"), "");
}

TEST_F(DecisionsTest, WhatCannotBePublishedIsRefusedWithTheWayOut) {
  auto const writing = Create("writing");
  EXPECT_THAT(RefusalOf(kPublish, "writing"), HasSubstr("close it first"));
  Close(writing.handle);
  FileThatIs("failed", Content::kFailed);
  EXPECT_THAT(RefusalOf(kPublish, "failed"), HasSubstr("the disk says no"));
  FileThatIs("uploaded", Content::kUploaded);
  EXPECT_THAT(RefusalOf(kPublish, "uploaded"), HasSubstr("uploaded already"));
  StuckFile("refused", UploadPhase::kRefused);
  EXPECT_THAT(RefusalOf(kPublish, "refused"), HasSubstr("tusfsctl retry"));
  StuckFile("unconfirmed", UploadPhase::kUnconfirmed);
  EXPECT_THAT(RefusalOf(kPublish, "unconfirmed"), HasSubstr("tusfsctl accept"));
  FileThatIs("old~", Content::kSettling);
  EXPECT_THAT(RefusalOf(kPublish, "old~"), HasSubstr("ignored pattern *~"));
  ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, kRootInode, "link", "a")));
  EXPECT_THAT(RefusalOf(kPublish, "link"), HasSubstr("only files"));
}

TEST_F(DecisionsTest, AnInterruptedFileThatSomebodyHasOpenForWritingIsNotPublished) {
  auto const inode = FileThatIs("a", Content::kInterrupted);
  auto const handle = Open(inode, O_WRONLY);
  EXPECT_THAT(RefusalOf(kPublish, "a"), HasSubstr("open for writing"));
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
  Close(handle);
  EXPECT_EQ(RefusalOf(kPublish, "a"), "");
}

// ---- what a power cut has left

class CutFilesTest : public DecisionsTest {
 protected:
  /// Of "12345678" 5 bytes were synced, and the disk has `left` of them.
  InodeId CutFile(std::string const& name, std::uintmax_t left, InodeId parent = kRootInode) {
    auto const created = Create(name, O_RDWR, nullptr, parent);
    Write(created.handle, 0, "12345");
    EXPECT_TRUE(Ok(fs_->Sync(created.handle)));
    Write(created.handle, 5, "678");
    Close(created.handle);
    auto const path = PathOf(created.attributes.inode);
    Unmount();
    std::filesystem::resize_file(path, left);
    Mount("boot " + name);
    return created.attributes.inode;
  }
  std::string PublishWith(std::string const& path, Decisions::Rest rest) {
    Decisions decisions(*store_, fs_->open_files(), fs_->shrinker(), *uploader_, *finishing_,
                        clock_);
    auto const outcomes = decisions.Publish(path, rest);
    EXPECT_TRUE(Ok(outcomes));
    return outcomes.value().at(0).refusal;
  }
  void ExpectWillBePublished(InodeId inode, std::string const& bytes) {
    EXPECT_EQ(Row(inode).content, Content::kSettling);
    EXPECT_TRUE(Row(inode).approved);
    EXPECT_FALSE(Row(inode).IsCut());
    EXPECT_EQ(BytesOf(inode), bytes);
    EXPECT_EQ(Row(inode).size, bytes.size());
  }
};

TEST_F(CutFilesTest, AreNotPublishedBeforeSomebodyHasChosen) {
  auto const inode = CutFile("a", 7);
  EXPECT_THAT(RefusalOf(kPublish, "a"),
              HasSubstr("of its 8 bytes 5 are known to be whole, 2 more"));
  EXPECT_THAT(RefusalOf(kPublish, "a"), HasSubstr("--rest take"));
  EXPECT_THAT(RefusalOf(kPublish, "a"), HasSubstr("--rest drop"));
  EXPECT_EQ(Row(inode).content, Content::kInterrupted);
}

TEST_F(CutFilesTest, OfWhichNothingMoreIsLeftAreNotPublishedAsWholeEither) {
  auto const inode = CutFile("a", 5);
  EXPECT_THAT(RefusalOf(kPublish, "a"), HasSubstr("of its 8 bytes only 5 are left"));
  EXPECT_EQ(PublishWith("a", Decisions::Rest::kDrop), "");
  ExpectWillBePublished(inode, "12345");
}

TEST_F(CutFilesTest, ArePublishedWithAllThatIsHere) {
  auto const inode = CutFile("a", 8);
  auto const reader = Open(inode, O_RDONLY);
  EXPECT_EQ(Read(reader), "12345");
  EXPECT_EQ(PublishWith("a", Decisions::Rest::kTake), "");
  ExpectWillBePublished(inode, "12345678");
  EXPECT_EQ(Read(reader), "12345678");
}

TEST_F(CutFilesTest, ArePublishedWithWhatIsKnownToBeWhole) {
  auto const inode = CutFile("a", 8);
  EXPECT_EQ(PublishWith("a", Decisions::Rest::kDrop), "");
  ExpectWillBePublished(inode, "12345");
  EXPECT_TRUE(Ok(store_->Sync()));
  EXPECT_TRUE(
      tusfs_testing::WaitFor([&] { return std::filesystem::file_size(PathOf(inode)) == 5; }));
}

TEST_F(CutFilesTest, ThatAreWrittenOnAfterTheirRestWasDroppedHaveNoneOfIt) {
  auto const inode = CutFile("a", 8);
  EXPECT_EQ(PublishWith("a", Decisions::Rest::kDrop), "");
  auto const handle = Open(inode, O_RDWR);
  Write(handle, 7, "X");
  EXPECT_TRUE(Ok(store_->Sync()));
  EXPECT_EQ(Read(handle), std::string("12345\0\0X", 8));
}

TEST_F(CutFilesTest, ThatTheServerHasAreSentAgainWithAllThatIsHere) {
  auto const taken = CutFile("taken", 8);
  auto const dropped = CutFile("dropped", 8);
  auto const streamed = CutFile("streamed", 8);
  GiveUpload(taken, 5, UploadPhase::kComplete);
  GiveUpload(dropped, 5, UploadPhase::kComplete);
  GiveUpload(streamed, 5);
  EXPECT_EQ(PublishWith("taken", Decisions::Rest::kTake), "");
  EXPECT_EQ(PublishWith("dropped", Decisions::Rest::kDrop), "");
  EXPECT_EQ(PublishWith("streamed", Decisions::Rest::kTake), "");
  EXPECT_TRUE(Row(taken).upload.IsNil());
  EXPECT_FALSE(Row(dropped).upload.IsNil()) << "these are the bytes that it has";
  EXPECT_FALSE(Row(streamed).upload.IsNil()) << "it can still become longer";
}

TEST_F(CutFilesTest, AreSaidOfADirectoryToo) {
  auto const d = MakeDir("d");
  auto const whole = FileThatIs("whole", Content::kInterrupted, d);
  ChangeRow(whole, [](Inode& row) {
    row.synced = true;
    row.synced_size = row.size;
  });
  CutFile("cut", 8, d);
  auto const outcomes = Say(kPublish, "d");
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].path, "d/whole");
  EXPECT_EQ(outcomes[0].refusal, "");
  EXPECT_EQ(outcomes[1].path, "d/cut");
  EXPECT_THAT(outcomes[1].refusal, HasSubstr("--rest"));
}

// ---- retry

TEST_F(DecisionsTest, ARefusedFileCanBeTriedAgain) {
  StuckFile("a", UploadPhase::kRefused);
  EXPECT_EQ(StateOf("a"), "failed");
  EXPECT_EQ(RefusalOf(kRetry, "a"), "");
  EXPECT_EQ(StateOf("a"), "queued") << "whoever waits for it now shall not be told of before";
}

TEST_F(DecisionsTest, AnUnconfirmedFileStartsOver) {
  StuckFile("a", UploadPhase::kUnconfirmed);
  EXPECT_EQ(RefusalOf(kRetry, "a"), "");
  EXPECT_EQ(StateOf("a"), "queued");
}

TEST_F(DecisionsTest, WhatCannotBeTriedAgainIsRefusedWithTheWayOut) {
  FileThatIs("interrupted", Content::kInterrupted);
  EXPECT_THAT(RefusalOf(kRetry, "interrupted"), HasSubstr("tusfsctl publish"));
  FileThatIs("failed", Content::kFailed);
  EXPECT_THAT(RefusalOf(kRetry, "failed"), HasSubstr("copy it here again"));
  FileThatIs("uploaded", Content::kUploaded);
  EXPECT_THAT(RefusalOf(kRetry, "uploaded"), HasSubstr("uploaded already"));
}

// ---- accept

TEST_F(DecisionsTest, AnUnconfirmedFileCanBeAcceptedAsUploaded) {
  auto const inode = StuckFile("a", UploadPhase::kUnconfirmed);
  EXPECT_EQ(RefusalOf(kAccept, "a"), "");
  EXPECT_EQ(StateOf("a"), "uploaded");
  EXPECT_EQ(Row(inode).content, Content::kUploaded);
}

TEST_F(DecisionsTest, NothingElseCanBeAccepted) {
  FileThatIs("interrupted", Content::kInterrupted);
  StuckFile("refused", UploadPhase::kRefused);
  StuckFile("sent", UploadPhase::kFinalSent);
  for (auto const* path : {"interrupted", "refused", "sent"}) {
    EXPECT_THAT(RefusalOf(kAccept, path), HasSubstr("only what is unconfirmed")) << path;
  }
}

// ---- directories

TEST_F(DecisionsTest, ADirectoryMeansTheFilesBeneathOfWhichItCanBeSaid) {
  auto const d = MakeDir("d");
  auto const e = MakeDir("e", d);
  FileThatIs("interrupted", Content::kInterrupted, e);
  FileThatIs("settling", Content::kSettling, d);
  FileThatIs("uploaded", Content::kUploaded, d);
  FileThatIs("d2", Content::kInterrupted);
  StuckFile("unconfirmed", UploadPhase::kUnconfirmed);
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "unconfirmed", d, "unconfirmed", 0)));
  EXPECT_THAT(Done(kAccept, "d"), ElementsAre("d/unconfirmed"));
  EXPECT_THAT(Done(kPublish, "d"), ElementsAre("d/e/interrupted", "d/settling"));
  EXPECT_THAT(Done(kRetry, "d"), IsEmpty());
  EXPECT_THAT(Done(kPublish, ""), testing::Contains("d2"));
}

TEST_F(DecisionsTest, APathThatIsNotThereIsAnError) {
  Decisions decisions(*store_, fs_->open_files(), fs_->shrinker(), *uploader_, *finishing_, clock_);
  EXPECT_EQ(CodeOf(decisions.Publish("nothing")), ENOENT);
}

}  // namespace
}  // namespace tusfs
