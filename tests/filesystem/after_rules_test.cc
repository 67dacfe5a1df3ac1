// AfterRules: who waits for whom, and what becomes of files that wait for each other.
#include "filesystem/after_rules.h"

#include <gmock/gmock.h>

#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

class AfterRulesTest : public FilesystemRig {
 protected:
  void Rule(std::vector<std::string> const& paths, std::vector<std::string> const& after) {
    list_.push_back({.files = GlobsOf(paths), .after = after});
    rules_.by_path = PathRules(list_);
  }
  /// All quiet times and pauses pass; what is due settles.
  void Settle() {
    clock_.Advance(settle_);
    while (finishing_->SettleDue()) continue;
  }
  void Become(InodeId inode, Content content) {
    ChangeRow(inode, [&](Inode& row) { row.content = content; });
  }
  [[nodiscard]] bool Waits(InodeId inode) { return Row(inode).content == Content::kSettling; }
  [[nodiscard]] FileReport Report(InodeId inode) {
    return Reporter(*store_, *spool_, *uploader_, *finishing_).Describe(inode).value();
  }

  std::vector<PathRule> list_;
};

TEST_F(AfterRulesTest, ASidecarIsFinishedWhenItsMediaAreOnTheServer) {
  Rule({"*.xml"}, {"{dir}/{stem}.mov", "{dir}/{stem}_proxy/"});
  auto const card = MakeDir("card [1]");
  auto const proxies = MakeDir("clip_proxy", card);
  auto const sidecar = MakeFile("clip.xml", "<clip/>", card);
  auto const media = MakeFile("clip.mov", "movie", card);
  auto const proxy = MakeFile("small.mov", "movie", proxies);
  MakeFile("clip.mov", "of another directory");
  MakeFile("other.mov", "movie", card);
  Settle();
  EXPECT_TRUE(Waits(sidecar));
  EXPECT_TRUE(Row(sidecar).synced) << "its bytes are on disk all the same";
  EXPECT_THAT(Report(sidecar).error,
              testing::HasSubstr("waits until another file is on the server: card [1]/clip"));
  EXPECT_TRUE(Report(sidecar).finishes);
  Become(media, Content::kUploaded);
  Settle();
  EXPECT_TRUE(Waits(sidecar)) << "for what lies beneath the other one";
  Become(proxy, Content::kUploaded);
  Settle();
  EXPECT_EQ(Row(sidecar).content, Content::kFinished);
  EXPECT_EQ(Report(sidecar).error, "");
}

TEST_F(AfterRulesTest, WhatKeepsTheOtherOneBackKeepsItWaiting) {
  Rule({"*.xml"}, {"*.mov"});
  auto const sidecar = MakeFile("clip.xml", "<clip/>");
  auto const media = MakeFile("clip.mov", "movie");
  for (auto const content : {Content::kInterrupted, Content::kFailed}) {
    Become(media, content);
    Settle();
    EXPECT_TRUE(Waits(sidecar));
    EXPECT_FALSE(Report(sidecar).finishes) << "somebody has to look at the other one";
  }
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip.mov")));
  Settle();
  EXPECT_EQ(Row(sidecar).content, Content::kFinished) << "it waits for what is there";
}

TEST_F(AfterRulesTest, ATemporaryNameCountsAsTheOneThatItWillGetAndJunkNeverDoes) {
  Rule({"*.done"}, {"*"});
  auto const done = MakeFile("card.done");
  MakeFile(".DS_Store", "junk");
  auto const media = MakeFile(".clip.mov.a1B2c3", "movie");
  Settle();
  EXPECT_TRUE(Waits(done));
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, ".clip.mov.a1B2c3")));
  Settle();
  EXPECT_EQ(Row(done).content, Content::kFinished) << "it waits neither for junk nor for itself";
  static_cast<void>(media);
}

TEST_F(AfterRulesTest, ARenameOutOfThePatternEndsTheWait) {
  Rule({"*.xml"}, {"*.mov"});
  auto const sidecar = MakeFile("clip.xml", "<clip/>");
  Become(MakeFile("clip.mov", "movie"), Content::kInterrupted);
  Settle();
  ASSERT_TRUE(Waits(sidecar));
  EXPECT_EQ(RenameCode("clip.xml", "clip.txt"), 0);
  Settle();
  EXPECT_EQ(Row(sidecar).content, Content::kFinished);
}

TEST_F(AfterRulesTest, SomebodysWordCountsForMore) {
  Rule({"*.xml"}, {"*.mov"});
  auto const sidecar = MakeFile("clip.xml", "<clip/>");
  Become(MakeFile("clip.mov", "movie"), Content::kInterrupted);
  Settle();
  ASSERT_TRUE(Waits(sidecar));
  ChangeRow(sidecar, [](Inode& row) { row.approved = true; });
  finishing_->SettleNow(sidecar);
  Settle();
  EXPECT_EQ(Row(sidecar).content, Content::kFinished);
  EXPECT_EQ(Report(sidecar).error, "");
}

TEST_F(AfterRulesTest, AChainGoesLinkByLink) {
  Rule({"*.mhl"}, {"*.xml"});
  Rule({"*.xml"}, {"*.mov"});
  auto const manifest = MakeFile("card.mhl", "<hashlist/>");
  auto const sidecar = MakeFile("clip.xml", "<clip/>");
  auto const media = MakeFile("clip.mov", "movie");
  Become(media, Content::kInterrupted);
  Settle();
  EXPECT_TRUE(Waits(manifest) && Waits(sidecar));
  EXPECT_FALSE(Report(manifest).finishes) << "at its end somebody has to do something";
  Become(media, Content::kUploaded);
  Settle();
  EXPECT_TRUE(Waits(manifest));
  EXPECT_EQ(Row(sidecar).content, Content::kFinished);
  Become(sidecar, Content::kUploaded);
  Settle();
  EXPECT_EQ(Row(manifest).content, Content::kFinished);
}

TEST_F(AfterRulesTest, OfACircleTheOldestGoesFirst) {
  Rule({"a*"}, {"c*"});
  Rule({"b*"}, {"a*"});
  Rule({"c*"}, {"b*", "media"});
  auto const b = MakeFile("b", "b");
  auto const c = MakeFile("c", "c");
  auto const a = MakeFile("a", "a");
  auto const media = MakeFile("media", "m");
  Settle();
  EXPECT_EQ(Row(b).content, Content::kFinished) << "it was made before the others";
  EXPECT_TRUE(Waits(a) && Waits(c));
  Become(b, Content::kUploaded);
  Settle();
  EXPECT_TRUE(Waits(a) && Waits(c)) << "who waits for somebody outside goes on waiting";
  Become(media, Content::kUploaded);
  Settle();
  EXPECT_TRUE(Waits(a));
  EXPECT_EQ(Row(c).content, Content::kFinished);
}

TEST_F(AfterRulesTest, OfManyThatWaitForAllOthersOneGoesAfterTheOther) {
  Rule({"*.done"}, {"*"});
  std::vector<InodeId> files;
  for (int i = 0; i < 20; ++i) files.push_back(MakeFile(std::to_string(i) + ".done", "x"));
  for (std::size_t i = 0; i < files.size(); ++i) {
    Settle();
    EXPECT_EQ(Row(files[i]).content, Content::kFinished) << i;
    EXPECT_TRUE(i + 1 == files.size() || Waits(files[i + 1])) << i;
    Become(files[i], Content::kUploaded);
  }
}

}  // namespace
}  // namespace tusfs
