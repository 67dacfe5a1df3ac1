// Finishing: the quiet time and the finish command, and what of them outlives a process.
#include "filesystem/finishing.h"

#include <gmock/gmock.h>

#include <atomic>
#include <vector>

#include "testing/wait_for.h"
#include "uploader/file_rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tusfs_testing::WaitFor;

constexpr std::chrono::milliseconds kQuietTime{2000};

class FinishingTest : public FileRig {
 protected:
  FinishingTest() {
    Append(1000);
    ChangeInode([this](Inode& inode) {
      inode.content = Content::kSettling;
      inode.size = body_.size();
    });
  }

  std::vector<InodeId> finished_;
  Finishing finishing_{{.settle = {.quiet = kQuietTime}},
                       rules_,
                       *store_,
                       *spool_,
                       clock_,
                       [this](InodeId inode) { finished_.push_back(inode); },
                       logger_};
};

TEST_F(FinishingTest, WhatAPredecessorLeftSettlesForTheWholeQuietTime) {
  ASSERT_TRUE(Ok(finishing_.Load()));
  clock_.Advance(kQuietTime - std::chrono::milliseconds(1));
  EXPECT_FALSE(finishing_.SettleDue());
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(finishing_.SettleDue());
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_THAT(finished_, ElementsAre(kFile));
  EXPECT_FALSE(finishing_.SettleDue());
}

TEST_F(FinishingTest, WhatSomebodyHasApprovedIsFinishedAtOnce) {
  finishing_.Settle(kFile);
  ChangeInode([](Inode& inode) { inode.approved = true; });
  finishing_.SettleNow(kFile);
  EXPECT_TRUE(finishing_.SettleDue());
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(FinishingTest, WhatIsHeldIsNoBusinessOfTheUploader) {
  rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kManual});
  finishing_.Settle(kFile);
  clock_.Advance(kQuietTime);
  EXPECT_TRUE(finishing_.SettleDue());
  EXPECT_EQ(TheInode().content, Content::kSettling);
  EXPECT_THAT(finished_, IsEmpty());
}

class FinishingByCommand : public FinishingTest {
 protected:
  ~FinishingByCommand() override {
    if (threaded_) threaded_->Stop();
  }

  // `script` of a shell.
  void Start(std::string const& script) {
    rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kCommand});
    rules_.finish_command = {"sh", "-c", script, "sh"};
    threaded_ = std::make_unique<Finishing>(
        FinishingOptions{.settle = {.quiet = std::chrono::milliseconds(0)}}, rules_, *store_,
        *spool_, system_clock_, [this](InodeId) { ++count_; }, logger_);
    ASSERT_TRUE(Ok(threaded_->Start()));
  }

  SystemClock const system_clock_{};
  std::atomic<int> count_ = 0;
  std::unique_ptr<Finishing> threaded_;
};

TEST_F(FinishingByCommand, WhoseYesFinishesTheFile) {
  Start("exit 0");
  EXPECT_TRUE(WaitFor([&] { return count_ == 1; }));
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_EQ(threaded_->CommandAnswer(kFile), std::nullopt);
}

TEST_F(FinishingByCommand, WhoseNoIsKeptForThePerson) {
  Start("echo no index; exit 3");
  ASSERT_TRUE(WaitFor([&] { return threaded_->CommandAnswer(kFile).has_value(); }));
  EXPECT_THAT(*threaded_->CommandAnswer(kFile), HasSubstr("no index"));
  EXPECT_EQ(TheInode().content, Content::kSettling);
}

}  // namespace
}  // namespace tusfs
