// Transfer: what the server has is held against what was sent before the file counts as uploaded.
#include <gmock/gmock.h>

#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tus::ErrorCode;
using tus::TusAnswer;

class TransferVerify : public TransferRig {
 protected:
  TransferVerify() { shared_.options.verify = Verification::kDownload; }

  // All of a file of `size` bytes was sent, and the server has confirmed it.
  void Sent(std::uint64_t size) {
    if (size > body_.size()) Append(size - body_.size());
    FinishFile();
    SentTo(kUrl);
  }
  void SentTo(std::string const& url) {
    Next("POST", kEndpoint, CreatedAt(url));
    NextPatch(url, 0, body_.size(), "(none)");
    Steps(2);
  }

  // What GET is answered with; tus says nothing of it.
  static tus::HttpResponse Gives(std::string const& bytes) {
    auto answer = TusAnswer(200, {{"Content-Length", std::to_string(bytes.size())}});
    answer.body = bytes;
    return answer;
  }

  void HeadIsRight(std::string const& url = kUrl) {
    Next("HEAD", url, HeadAnswer(body_.size(), body_.size()));
  }
};

TEST_F(TransferVerify, BytesThatAreRightCompleteTheFile) {
  Sent(1000);
  EXPECT_EQ(TheInode().content, Content::kFinished) << "its bytes must not go yet";
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kVerifying);
  HeadIsRight();
  Next("GET", kUrl, Gives(body_));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kComplete);
}

TEST_F(TransferVerify, OneWrongBitStartsOver) {
  Sent(1000);
  auto wrong = body_;
  wrong[500] ^= 1;
  HeadIsRight();
  Next("GET", kUrl, Gives(wrong));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_FALSE(TheUpload()) << "the wrong one is not its upload any more";
  SentTo(kSecondUrl);
  HeadIsRight(kSecondUrl);
  Next("GET", kSecondUrl, Gives(body_));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

TEST_F(TransferVerify, ABlockWithoutADigestIsHeldAgainstTheSpool) {
  Sent(1000);
  auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
    auto const inode = GetInode(transaction, kFile);
    auto const bare = FindUpload(transaction, inode->upload).value().value();
    auto const deleted = DeleteUpload(transaction, bare);
    PutUpload(transaction, bare);  // without its digests
    return deleted;
  });
  ASSERT_TRUE(Ok(put));
  auto wrong = body_;
  wrong[999] ^= 1;
  HeadIsRight();
  Next("GET", kUrl, Gives(wrong));
  Steps(1);
  EXPECT_FALSE(TheUpload());
}

TEST_F(TransferVerify, ALengthThatIsWrongStartsOverWithoutADownload) {
  shared_.options.verify = Verification::kHead;
  Sent(1000);
  Next("HEAD", kUrl, HeadAnswer(999, 1000));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_FALSE(TheUpload());
}

TEST_F(TransferVerify, HeadAloneAsksForNoBytes) {
  shared_.options.verify = Verification::kHead;
  Sent(1000);
  HeadIsRight();
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferVerify, AServerThatIsNeverRightIsNotSentTheFileForEver) {
  Append(1000);
  FinishFile();
  for (int i = 0; i < 3; ++i) {
    SentTo(kUrl);
    HeadIsRight();
    Next("GET", kUrl, Gives(std::string(1000, 'x')));
    Steps(1);
  }
  ASSERT_TRUE(TheUpload());
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("sent 3 times"));
  EXPECT_EQ(TheInode().content, Content::kFinished) << "its bytes are kept";
  EXPECT_EQ(Step().next, std::nullopt);
}

TEST_F(TransferVerify, AServerThatGivesNothingBackLeavesItUnconfirmed) {
  Sent(1000);
  for (int i = 0; i < 3; ++i) {
    HeadIsRight();
    Next("GET", kUrl, TusAnswer(405));
    Steps(1);
    clock_.Advance(std::chrono::minutes(2));
  }
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("cannot be verified"));
  EXPECT_TRUE(endpoint_.state().reachable) << "that is no outage";
}

TEST_F(TransferVerify, AnUploadThatIsGoneIsUnconfirmedAndNotSentAgain) {
  Sent(1000);
  Next("HEAD", kUrl, TusAnswer(404));
  EXPECT_GT(Step().next, clock_.Steady());
  clock_.Advance(shared_.options.gone_after);
  Next("HEAD", kUrl, TusAnswer(404));
  Next("OPTIONS", kEndpoint, TusAnswer(204, {{"Tus-Version", "1.0.0"}}));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("cannot be verified"));
}

TEST_F(TransferVerify, ABrokenDownloadGoesOn) {
  Sent(1000);
  HeadIsRight();
  Next("GET", kUrl, Broken(ErrorCode::kInterrupted));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kVerifying);
  clock_.Advance(std::chrono::minutes(2));
  HeadIsRight();
  Next("GET", kUrl, Gives(body_));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferVerify, WhatWasRightOfAnotherUploadDoesNotCount) {
  Sent(1000);
  memory_.verification.upload = Uuid::Random();
  memory_.verification.blocks = 1;
  HeadIsRight();
  Next("GET", kUrl, Gives(std::string(1000, 'x')));
  Steps(1);
  EXPECT_FALSE(TheUpload()) << "its first block was not looked at";
}

TEST_F(TransferVerify, ARestartGoesOnWithIt) {
  Sent(1000);
  Restart();
  HeadIsRight();
  Next("GET", kUrl, Gives(body_));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferVerify, AnEmptyFileHasNoBytesToAskFor) {
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  HeadIsRight();
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

}  // namespace
}  // namespace tusfs
