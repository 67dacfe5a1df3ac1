// Verdicts: what one close, or none, says of a file.
#include "filesystem/verdicts.h"

#include <gmock/gmock.h>

#include "filesystem/parts.h"

namespace tusfs {
namespace {

class VerdictsTest : public PartsRig {
 protected:
  VerdictsTest() {
    handle_ = HaveOpen(MakeFile("f", "bytes"), O_WRONLY);
    auto& record = handle_->record;
    record.changed = record.wrote = record.dirty = true;
    record.writers = {me_.pid};
    record.opener = other_.pid;
  }
  Verdicts::Closing Close(Caller const& who) {
    MutexLock lock(handle_->file->mutex);
    return verdicts_.JudgeClose(*handle_->file, *handle_, who);
  }

  Verdicts const verdicts_{*store_, processes_, rules_};
  std::shared_ptr<OpenHandle> handle_;
};

TEST_F(VerdictsTest, AWriterThatLivesHasFinishedIt) {
  auto const closing = Close(me_);
  EXPECT_TRUE(closing.has_say && closing.is_clean);
  EXPECT_EQ(closing.record.verdict, Verdict::kClean);
  EXPECT_FALSE(closing.record.dirty);
  EXPECT_TRUE(handle_->record.dirty) << "it is for the caller to put";
}

TEST_F(VerdictsTest, AWriterThatWasKilledHasNot) {
  processes_.Kill(me_.pid);
  auto const closing = Close(me_);
  EXPECT_TRUE(closing.has_say);
  EXPECT_FALSE(closing.is_clean);
  EXPECT_EQ(closing.record.reason, "killed by SIGKILL");
}

TEST_F(VerdictsTest, WhoeverDidNotWriteHasNoSayUnlessItOpenedTheFileAndWasKilled) {
  EXPECT_FALSE(Close(other_).has_say);
  processes_.Kill(other_.pid);
  auto const closing = Close(other_);
  EXPECT_TRUE(closing.has_say);
  EXPECT_THAT(closing.record.reason, testing::HasSubstr("was killed"));
}

TEST_F(VerdictsTest, AWriteThatFailedIsMadeGoodByNoClose) {
  handle_->record.failed_write = 100;
  handle_->record.verdict = Verdict::kDied;
  EXPECT_FALSE(Close(me_).is_clean);
}

TEST_F(VerdictsTest, ACloseBeforeAnyWriteSaysNothing) {
  handle_->record.wrote = false;
  auto const closing = Close(me_);
  EXPECT_FALSE(closing.is_clean);
  EXPECT_EQ(closing.record.verdict, Verdict::kNone);
}

TEST_F(VerdictsTest, AnUnknownEndIsCleanWhereTheRulesSaySo) {
  processes_.Hide(me_.pid);
  EXPECT_FALSE(Close(me_).is_clean);
  rules_.publish_unknown = true;
  EXPECT_TRUE(Close(me_).is_clean);
}

TEST_F(VerdictsTest, WithoutACloseItEndedBadly) {
  auto& record = handle_->record;
  EXPECT_EQ(verdicts_.WhyEndedBadly(*handle_), "nobody who wrote to it has closed it");
  record.dirty = false;
  record.verdict = Verdict::kClean;
  EXPECT_EQ(verdicts_.WhyEndedBadly(*handle_), std::nullopt);
  record.verdict = Verdict::kDied;
  record.reason = "killed";
  EXPECT_EQ(verdicts_.WhyEndedBadly(*handle_), "killed");
}

TEST_F(VerdictsTest, AReleaseThatNoCloseWasToldOfIsOneIfItsWriterLivesOn) {
  handle_->last_thread = me_.pid;
  EXPECT_EQ(verdicts_.WhyEndedBadly(*handle_), std::nullopt);
  processes_.Kill(me_.pid);
  EXPECT_EQ(verdicts_.WhyEndedBadly(*handle_), "nobody who wrote to it has closed it");
}

TEST_F(VerdictsTest, NorDoesALivingWriterMakeGoodWhatFailedOrAnotherLeft) {
  handle_->last_thread = me_.pid;
  handle_->record.verdict = Verdict::kDied;
  EXPECT_NE(verdicts_.WhyEndedBadly(*handle_), std::nullopt);
  handle_->record.verdict = Verdict::kNone;
  handle_->record.failed_write = 0;
  EXPECT_NE(verdicts_.WhyEndedBadly(*handle_), std::nullopt);
}

}  // namespace
}  // namespace tusfs
