// Transfer: small files that are announced before their turn to be sent.
#include <gmock/gmock.h>

#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class TransferAhead : public TransferRig {
 protected:
  TransferAhead() {
    shared_.hasten = [this](InodeId inode) { hastened_.push_back(inode); };
    Append(kSize);
    FinishFile();
  }

  // Created, and announced: not a byte has been sent, and nobody has waited for the disk.
  void AnnounceFile() {
    Next("POST", kEndpoint, CreatedAt(kUrl));
    EXPECT_TRUE(Step().goes_on);
    auto const outcome = Step();
    EXPECT_TRUE(outcome.keeps_turn);
    EXPECT_GT(outcome.next, clock_.Steady());
    EXPECT_EQ(TheUpload()->phase, UploadPhase::kFinalSent);
    EXPECT_THAT(hastened_, IsEmpty());
    EXPECT_EQ(*shared_.announced, 1);
  }

  static constexpr std::uint64_t kSize = 1000;
  std::vector<InodeId> hastened_;
};

TEST_F(TransferAhead, ASmallFileIsSentWhenItsEndIsDurableAndItsJobIsHastenedThen) {
  AnnounceFile();
  EXPECT_THAT(UploadsAfterPowerCut(),
              testing::Each(testing::Field(&Upload::phase, testing::Ne(UploadPhase::kFinalSent))));
  ASSERT_TRUE(Ok(store_->Sync()));
  EXPECT_THAT(hastened_, ElementsAre(kFile));
  EXPECT_EQ(*shared_.announced, 0);
  NextPatch(kUrl, 0, kSize, "(none)");
  EXPECT_TRUE(Step().over);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->requests, 1U);
}

TEST_F(TransferAhead, WhoeverComesSoonerWaitsForTheDiskBeforeItIsSent) {
  AnnounceFile();
  Next("PATCH", kUrl, [this](tus::HttpRequest const&) {
    auto const left = UploadsAfterPowerCut();
    EXPECT_THAT(left, ElementsAre(testing::Field(&Upload::phase, UploadPhase::kFinalSent)));
    return OffsetIs(kSize);
  });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferAhead, UnderANameThatItHasNoMoreItIsNotSent) {
  AnnounceFile();
  ASSERT_TRUE(Ok(store_->Sync()));
  RenameTo("other.bin");
  Steps(2);  // no PATCH: the script is at its end
  EXPECT_THAT(ownerless_, SizeIs(1)) << "as nothing of it has left, it can be given up";
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  Steps(2);
  ASSERT_TRUE(Ok(store_->Sync()));
  NextPatch(kSecondUrl, 0, kSize, "(none)");
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->path, "other.bin");
}

TEST_F(TransferAhead, UnderANameThatIsNeverSentItIsNotSent) {
  AnnounceFile();
  ASSERT_TRUE(Ok(store_->Sync()));
  RenameTo("file.bin~");
  Steps(3);
  EXPECT_NE(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, SizeIs(1));
}

TEST_F(TransferAhead, WhatIsOpenedForWritingAgainIsNotSentAndCanBeChanged) {
  AnnounceFile();
  ASSERT_TRUE(Ok(store_->Sync()));
  ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
  Steps(2);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
  EXPECT_EQ(TheUpload()->end, UploadEnd::kNotSent);
}

TEST_F(TransferAhead, AfterARestartTheServerIsAskedWhetherItHasIt) {
  AnnounceFile();
  ASSERT_TRUE(Ok(store_->Sync()));
  Restart();
  Next("HEAD", kUrl, HeadAnswer(0, kSize));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
  EXPECT_FALSE(Step().over);
  ASSERT_TRUE(Ok(store_->Sync()));
  NextPatch(kUrl, 0, kSize, "(none)");
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferAhead, WhenManyWaitAlreadyItWaitsItself) {
  *shared_.announced = 64;
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, kSize, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(*shared_.announced, 64);
}

TEST_F(TransferAhead, ALargeFileIsNotAnnouncedAhead) {
  ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
  Append(kGranule);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  EXPECT_FALSE(Step().goes_on) << "small ones go first";
  NextPatch(kUrl, 0, body_.size(), "(none)");
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

}  // namespace
}  // namespace tusfs
