// Transfer of files whose first bytes the server alone has (trim=confirmed): whatever happens,
// their upload stays theirs.
#include <gmock/gmock.h>

#include "uploader/trouble_rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using tus::HttpRequest;
using tus::TusAnswer;

class TransferOfTrimmed : public TransferTrouble {
 protected:
  static constexpr std::uint64_t kConfirmed = kDigestBlock + 2 * kGranule;

  /// Of a growing file the server has more than one digest block, and that is not here any more.
  void StreamAndTrim() {
    Append(kConfirmed + 1);
    Next("POST", kEndpoint, CreatedAt(kUrl));
    for (std::uint64_t at = 0; at < kConfirmed; at += 2 * kGranule) {
      NextPatch(kUrl, at, at + 2 * kGranule, "(none)");
    }
    Steps(1 + static_cast<int>(kConfirmed / (2 * kGranule)));
    ASSERT_EQ(TheUpload()->offset, kConfirmed);
    ChangeInode([](Inode& inode) { inode.trimmed = kDigestBlock; });
    ASSERT_TRUE(Ok(version_->TrimTo(kDigestBlock)));
  }

  /// It is refused, with `words`, and keeps its upload; an hour later that is asked for.
  void ExpectKeptAndGoesOn(std::string const& words) {
    EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
    EXPECT_EQ(TheUpload()->url, kUrl);
    EXPECT_THAT(TheUpload()->error, HasSubstr(words));
    EXPECT_THAT(ownerless_, IsEmpty());
    Steps(2);  // and not at once
    clock_.Advance(shared_.options.retry_failed);
    EndAsAStub();
  }
  /// The next step asks where the server is, the one after it sends the rest.
  void EndAsAStub() {
    FinishFile();
    Next("HEAD", kUrl, HeadAnswer(kConfirmed, std::nullopt));
    NextPatch(kUrl, kConfirmed, body_.size(), std::to_string(body_.size()));
    Steps(2);
    EXPECT_EQ(TheInode().content, Content::kUploaded);
    EXPECT_EQ(TheInode().version, 0U);
    EXPECT_THAT(ownerless_, IsEmpty());
  }
};

TEST_F(TransferOfTrimmed, GoesOnAndEndsAsAStub) {
  StreamAndTrim();
  FinishFile();
  NextPatch(kUrl, kConfirmed, kConfirmed + 1, std::to_string(kConfirmed + 1));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheInode().version, 0U) << "what is left of its bytes is of no use";
  EXPECT_EQ(TheInode().trimmed, 0U);
}

TEST_F(TransferOfTrimmed, IsUnconfirmedWhenTheServerTurnsOutToHaveOtherBytes) {
  shared_.options.verify = Verification::kHead;
  StreamAndTrim();
  FinishFile();
  NextPatch(kUrl, kConfirmed, kConfirmed + 1, std::to_string(kConfirmed + 1));
  Next("HEAD", kUrl, HeadAnswer(kConfirmed, kConfirmed + 1));
  Steps(2);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("trim=confirmed"));
  EXPECT_EQ(TheUpload()->url, kUrl);
}

TEST_F(TransferOfTrimmed, GoesOnAfterARestart) {
  StreamAndTrim();
  FinishFile();
  memory_ = {};
  version_.reset();
  Next("HEAD", kUrl, HeadAnswer(kConfirmed, std::nullopt));
  Next("PATCH", kUrl, [&](HttpRequest const&) { return OffsetIs(kConfirmed + 1); });
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferOfTrimmed, IsKeptWithASentenceWhenTheServerHasForgottenIt) {
  StreamAndTrim();
  memory_.recheck = true;
  ServerHasForgotten();
  ExpectKeptAndGoesOn("trim=confirmed");
}

TEST_F(TransferOfTrimmed, IsKeptWhenTheServerHasLostBytesThatItHadConfirmed) {
  StreamAndTrim();
  memory_.recheck = true;
  FinishFile();
  Next("HEAD", kUrl, HeadAnswer(kDigestBlock - kGranule, std::nullopt));
  Steps(1);
  ExpectKeptAndGoesOn("trim=confirmed");
}

TEST_F(TransferOfTrimmed, GoesOnWhereTheServerIsAfterARefusal) {
  StreamAndTrim();
  FinishFile();
  Next("PATCH", kUrl, TusAnswer(422, {}, "not now"));
  Steps(1);
  ExpectKeptAndGoesOn("not now");
}

TEST_F(TransferOfTrimmed, GoesOnAfterARefusalAndARestart) {
  StreamAndTrim();
  FinishFile();
  Next("PATCH", kUrl, TusAnswer(422, {}, "not now"));
  Steps(1);
  memory_ = {};
  EndAsAStub();
}

TEST_F(TransferOfTrimmed, IsNotCalledUploadedWhenTheServerHasRefusedIt) {
  StreamAndTrim();
  FinishFile();
  Next("PATCH", kUrl, TusAnswer(422, {}, "no clips of this codec"));
  Steps(1);
  memory_ = {};
  Next("HEAD", kUrl, HeadAnswer(body_.size(), body_.size()));
  Steps(3);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferOfTrimmed, IsKeptWhenTheServerHasMoreThanWasSent) {
  StreamAndTrim();
  memory_.recheck = true;
  FinishFile();
  Next("HEAD", kUrl, HeadAnswer(kConfirmed + 100, std::nullopt));
  Steps(1);
  ExpectKeptAndGoesOn("not what was sent");
}

TEST_F(TransferOfTrimmed, IsKeptWhenItsLengthWasDeclaredOtherwise) {
  StreamAndTrim();
  ChangeUpload([](Upload& upload) { upload.length = kConfirmed + 100; });
  FinishFile();
  Steps(1);
  EXPECT_THAT(TheUpload()->error, HasSubstr("trim=confirmed"));
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferOfTrimmed, IsKeptWhenTheServerKeepsItLocked) {
  StreamAndTrim();
  FinishFile();
  memory_.recheck = true;
  for (int i = 0; i < 25; ++i) {
    Next("HEAD", kUrl, [&](HttpRequest const&) {
      clock_.Advance(std::chrono::seconds(20));
      return TusAnswer(500);
    });
    Steps(1);
    clock_.Advance(std::chrono::minutes(2));
  }
  EndAsAStub();
}

TEST_F(TransferOfTrimmed, IsKeptForTheTimeWhenItHasAnotherNameAgain) {
  rules_.ignored = GlobsOf({"*.tmp"});
  StreamAndTrim();
  RenameTo("file.tmp");
  FinishFile();
  Steps(2);
  EXPECT_EQ(TheUpload()->url, kUrl);
  RenameTo("file.bin");
  memory_ = {};
  EndAsAStub();
}

TEST_F(TransferOfTrimmed, KeepsTheNameThatItWasDeclaredUnder) {
  StreamAndTrim();
  RenameTo("other.bin");
  FinishFile();
  NextPatch(kUrl, kConfirmed, kConfirmed + 1, std::to_string(kConfirmed + 1));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->path, "file.bin");
}

}  // namespace
}  // namespace tusfs
