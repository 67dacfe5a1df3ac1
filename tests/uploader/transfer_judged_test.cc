// Transfer: what becomes of a file by what the server says of its last request, of its creation,
// and of others' creations.
#include <gmock/gmock.h>

#include "uploader/trouble_rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tus::ErrorCode;
using tus::HttpRequest;
using tus::OtherAnswer;
using tus::TusAnswer;

// ---- the answer to the end

/// Status of the answer to the last PATCH, and as what the file ends where HEAD calls it complete.
struct EndCase {
  int status;
  UploadPhase phase;
};

class AnsweredEnd : public TransferTrouble, public testing::WithParamInterface<EndCase> {};

TEST_P(AnsweredEnd, IsNeverASuccessBecauseHeadSaysComplete) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(GetParam().status, {}, "the hook says no"));
  Steps(1);
  for (int i = 0; i < 3 && TheUpload()->phase == UploadPhase::kFinalSent; ++i) {
    clock_.Advance(std::chrono::minutes(2));
    Next("HEAD", kUrl, HeadAnswer(1000, 1000));
    Steps(1);
  }
  EXPECT_EQ(TheUpload()->phase, GetParam().phase);
  EXPECT_THAT(TheUpload()->error, HasSubstr("the hook says no"));
  EXPECT_EQ(TheInode().content, Content::kFinished);
  Restart();
  clock_.Advance(std::chrono::hours(2));
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kFinished) << "and nothing is sent";
  EXPECT_THAT(ownerless_, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, AnsweredEnd,
    testing::Values(EndCase{403, UploadPhase::kRefused}, EndCase{404, UploadPhase::kRefused},
                    EndCase{409, UploadPhase::kRefused}, EndCase{422, UploadPhase::kRefused},
                    EndCase{423, UploadPhase::kRefused}, EndCase{500, UploadPhase::kUnconfirmed},
                    EndCase{503, UploadPhase::kUnconfirmed}),
    [](auto const& one) { return std::to_string(one.param.status); });

TEST_F(TransferTrouble, A409ToASecondEndIsHowToLearnThatTheFirstArrived) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));  // it is still on its way
  Steps(1);
  Next("PATCH", kUrl, TusAnswer(409));
  Steps(1);
  clock_.Advance(std::chrono::minutes(2));
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, ThatAnEndWasLostIsKnownAfterARestartToo) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Steps(1);
  Restart();
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));  // it has arrived after all
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, AFinishingStepThatTakesVeryLongIsWaitedForAndInTheEndUnconfirmed) {
  FinalAnswerLost(1000);
  int asked = 0;
  while (TheUpload()->phase == UploadPhase::kFinalSent && asked < 200) {
    Next("HEAD", kUrl, [&](HttpRequest const&) {
      clock_.Advance(std::chrono::seconds(20));
      return TusAnswer(500);
    });
    Steps(1);
    ++asked;
    clock_.Advance(std::chrono::minutes(2));
  }
  EXPECT_GT(asked, 50);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferTrouble, AnEndOfWhichBytesNeverLeftIsNoReasonToAskAPerson) {
  Created(1000);
  NextPatchBreaksAfter(200);
  ServerHasForgotten();
  EXPECT_FALSE(TheUpload()) << "it is made anew";
}

TEST_F(TransferTrouble, SentAgainIsOnlyWhatLeftBefore) {
  Created(1000);
  NextPatchBreaksAfter(200);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Next("PATCH", kUrl, [](HttpRequest const& request) {
    request.on_sent(1000);
    return OffsetIs(1000);
  });
  Steps(2);
  auto const totals = store_->Read([](View const& view) { return GetTotals(view); }).value();
  EXPECT_EQ(totals.sent, 1200U);
  EXPECT_EQ(totals.resent, 200U);
}

TEST_F(TransferTrouble, WhatASenderWhoDiedHadSentIsKnownToTheNext) {
  Created(1000);
  NextPatchBreaksAfter(600);
  // The next one is another process: it remembers nothing, and the server has more than was
  // counted.
  Restart();
  Next("HEAD", kUrl, HeadAnswer(700, 1000));
  Next("PATCH", kUrl, [](HttpRequest const& request) {
    request.on_sent(200);
    return Broken(tus::ErrorCode::kInterrupted);
  });
  Steps(2);
  clock_.Advance(std::chrono::minutes(2));
  Restart();
  Next("HEAD", kUrl, HeadAnswer(800, 1000));
  Next("PATCH", kUrl, [](HttpRequest const& request) {
    request.on_sent(200);
    return OffsetIs(1000);
  });
  Steps(2);
  auto const totals = store_->Read([](View const& view) { return GetTotals(view); }).value();
  EXPECT_EQ(totals.sent, 700U + 200U + 200U);
  EXPECT_EQ(totals.resent, 100U) << "from 800 to 900";
  EXPECT_EQ(totals.sent - totals.resent, 1000U) << "as much as the file has";
}

TEST_F(TransferTrouble, ABodyOfWhichTheServerKeepsNothingIsMadeSmaller) {
  Created(1000);
  NextPatchBreaksAfter(200'000);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Steps(1);
  EXPECT_EQ(endpoint_.profile().MaxBody(), 100'000U);
}

// ---- creations

TEST_F(TransferTrouble, ANameThatIsTakenIsARefusalWithItsWords) {
  for (int const status : {409, 423}) {
    if (body_.empty()) {
      Append(1000);
      FinishFile();
    }
    for (int i = 0; i < 5; ++i) {
      EXPECT_NE(TheUpload().value_or(Upload{}).phase, UploadPhase::kRefused);
      Next("POST", kEndpoint, TusAnswer(status, {}, "the resource already exists"));
      Steps(1);
      clock_.Advance(std::chrono::minutes(2));
    }
    EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused) << status;
    EXPECT_THAT(TheUpload()->error, HasSubstr("already exists")) << status;
    clock_.Advance(shared_.options.retry_failed);
    Steps(1);
  }
}

TEST_F(TransferTrouble, ANameThatIsTakenForAMomentIsWaitedFor) {
  Append(1000);
  FinishFile();
  for (int i = 0; i < 9; ++i) {
    Next("POST", kEndpoint, TusAnswer(423, {}, "locked"));
    Steps(1);
    EXPECT_NE(TheUpload()->phase, UploadPhase::kRefused) << "after " << i << " seconds";
    clock_.Advance(std::chrono::seconds(1));
  }
  clock_.Advance(std::chrono::minutes(2));
  ExpectSentWhole(kUrl);
}

TEST_F(TransferTrouble, ADeniedCreationIsThatFilesAlone) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, TusAnswer(403, {}, "row policy"));
  auto const outcome = Step();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("row policy"));
  EXPECT_TRUE(endpoint_.state().reachable);
  EXPECT_GE(outcome.next, clock_.Steady() + std::chrono::seconds(10));
  clock_.Advance(std::chrono::minutes(5));
  Steps(1);
  ExpectSentWhole(kUrl);
}

TEST_F(TransferTrouble, ACreationWhoseLocationCannotBeUsedIsTheEndpointsTrouble) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, TusAnswer(201, {{"Location", "ftp://elsewhere/1"}}));
  Steps(1);
  EXPECT_FALSE(endpoint_.state().reachable);
  EXPECT_THAT(endpoint_.state().error, HasSubstr("Location"));
}

TEST_F(TransferTrouble, AServerThatTakesNoBytesOfUnknownLengthGetsTheFileWhenItIsFinished) {
  Append(3 * kGranule);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, TusAnswer(400, {}, "Upload-Length is missing"));
  Steps(2);
  EXPECT_FALSE(endpoint_.MayDefer());
  EXPECT_THAT(ownerless_, SizeIs(1));
  Steps(1);
  FinishFile();
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(tus::HeaderOf(request, "Upload-Length"), std::to_string(3 * kGranule));
    return CreatedAt(kSecondUrl);
  });
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

// ---- a server that has never told by OPTIONS what it is

class TransferToASilentServer : public TransferTrouble {
 protected:
  TransferToASilentServer() : TransferTrouble(false) {}
};

TEST_F(TransferToASilentServer, ItIsBelievedAllTheSameThatAnUploadIsGone) {
  Created(1000);
  memory_.recheck = true;
  Next("HEAD", kUrl, OtherAnswer(404));
  Next("OPTIONS", kEndpoint, OtherAnswer(200));
  EXPECT_GT(Step().next, clock_.Steady());
  clock_.Advance(shared_.options.gone_after);
  Next("HEAD", kUrl, OtherAnswer(404));
  Next("OPTIONS", kEndpoint, OtherAnswer(200));
  Steps(1);
  ExpectSentWhole(kSecondUrl);
}

TEST_F(TransferToASilentServer, AnOutageIsOne) {
  Created(1000);
  memory_.recheck = true;
  Next("HEAD", kUrl, OtherAnswer(404));
  Next("OPTIONS", kEndpoint, OtherAnswer(502));
  Steps(1);
  clock_.Advance(shared_.options.gone_after);
  Next("HEAD", kUrl, OtherAnswer(404));
  Next("OPTIONS", kEndpoint, OtherAnswer(502));
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kUrl);
}

}  // namespace
}  // namespace tusfs
