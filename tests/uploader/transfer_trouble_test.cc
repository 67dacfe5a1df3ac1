// Transfer: lost answers, wrong offsets, refusals, renames, and uploads that lost their file.
#include <gmock/gmock.h>

#include "uploader/trouble_rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tus::ErrorCode;
using tus::HeaderOf;
using tus::HttpRequest;
using tus::OtherAnswer;
using tus::TusAnswer;

// ---- the server's word

TEST_F(TransferTrouble, AShortAnswerIsTakenAtItsWord) {
  Created(1000);
  Next("PATCH", kUrl, OffsetIs(300));
  Steps(1);
  EXPECT_EQ(TheUpload()->offset, 300U);
  Next("HEAD", kUrl, HeadAnswer(300, 1000));
  NextPatch(kUrl, 300, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, AShortAnswerToADeferredFinalIsAskedAboutBeforeTheLengthIsDeclaredAgain) {
  Append(2 * kGranule + 10);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  FinishFile();
  auto const size = body_.size();
  Next("PATCH", kUrl, OffsetIs(2 * kGranule + 4));
  Steps(1);
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule + 4, size));
  NextPatch(kUrl, 2 * kGranule + 4, size, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, ASmallerOffsetThanBeforeIsAccepted) {
  Append(4 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Next("PATCH", kUrl, Broken(ErrorCode::kInterrupted));
  Steps(3);
  clock_.Advance(std::chrono::minutes(2));
  Next("HEAD", kUrl, HeadAnswer(kGranule, std::nullopt));
  NextPatch(kUrl, kGranule, 3 * kGranule, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->offset, 3 * kGranule);
}

TEST_F(TransferTrouble, AnOffsetBeyondWhatWasEverSentMeansStartingOver) {
  Append(4 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  memory_.recheck = true;
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule + 1, std::nullopt));
  Steps(1);
  EXPECT_THAT(ownerless_, SizeIs(1));
  EXPECT_FALSE(version_->WasSent({0, kNoEnd})) << "nothing of it counts as sent any more";
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  NextPatch(kSecondUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
}

TEST_F(TransferTrouble, MoreThanWasConfirmedButNotMoreThanWasSentIsBelieved) {
  Created(1000);
  Next("PATCH", kUrl, Broken(ErrorCode::kInterrupted));
  Steps(1);
  clock_.Advance(std::chrono::minutes(2));
  Next("HEAD", kUrl, HeadAnswer(999, 1000));
  NextPatch(kUrl, 999, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

struct Trouble {
  char const* name;
  tus::Result<tus::HttpResponse> answer;
};

class AfterAnyError : public TransferTrouble, public testing::WithParamInterface<Trouble> {};

TEST_P(AfterAnyError, TheServerIsAskedBeforeMoreIsSent) {
  Created(1000);
  Next("PATCH", kUrl, GetParam().answer);
  Steps(1);
  clock_.Advance(std::chrono::minutes(2));
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_THAT(TheUpload()->error, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Errors, AfterAnyError,
    testing::Values(Trouble{"Interrupted", Broken(ErrorCode::kInterrupted)},
                    Trouble{"Unreachable", Broken(ErrorCode::kUnreachable)},
                    Trouble{"Cancelled", Broken(ErrorCode::kCancelled)},
                    Trouble{"Conflict", TusAnswer(409, {}, "offsets differ")},
                    Trouble{"Locked", TusAnswer(423)}, Trouble{"Broken", TusAnswer(500)},
                    Trouble{"Portal", OtherAnswer(200, {}, "<html>Log in</html>")},
                    Trouble{"NoOffset", TusAnswer(204)},
                    Trouble{"BeyondWhatWasSent", OffsetIs(1001)},
                    Trouble{"Forbidden", TusAnswer(403)}),
    [](auto const& trouble) { return trouble.param.name; });

TEST_F(TransferTrouble, TransientFailuresBackOffFurtherEachTimeAndProgressResetsThem) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(503));
  auto const first = *Step().next - clock_.Steady();
  clock_.Advance(first);
  Next("HEAD", kUrl, TusAnswer(503));
  auto const second = *Step().next - clock_.Steady();
  EXPECT_GT(second, first);
  EXPECT_EQ(memory_.trouble.failures, 2);
  clock_.Advance(second);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Next("PATCH", kUrl, OffsetIs(10));
  Steps(2);
  EXPECT_EQ(memory_.trouble.failures, 0);
}

TEST_F(TransferTrouble, AServerThatTakesBytesBackAgainAndAgainIsNotAskedWithoutPause) {
  Created(1000);
  Next("PATCH", kUrl, OffsetIs(10));
  EXPECT_LE(Step().next, clock_.Steady()) << "it is 10 bytes further";
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Next("PATCH", kUrl, OffsetIs(10));
  Steps(1);
  EXPECT_GT(Step().next, clock_.Steady()) << "it has never had more";
  EXPECT_EQ(memory_.trouble.failures, 1);
}

TEST_F(TransferTrouble, RetryAfterIsHonoured) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(503, {{"Retry-After", "120"}}));
  EXPECT_GE(Step().next, clock_.Steady() + std::chrono::seconds(120));
}

// ---- gone

TEST_F(TransferTrouble, AnUploadThatTheServerForgotIsMadeAnewAfterAskingTwice) {
  Append(4 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Next("PATCH", kUrl, TusAnswer(404));
  Steps(3);
  ServerHasForgotten();
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  NextPatch(kSecondUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->offset, 2 * kGranule);
}

TEST_F(TransferTrouble, One404IsNotBelieved) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(404));
  Next("HEAD", kUrl, TusAnswer(404));
  Steps(2);
  EXPECT_EQ(TheUpload()->url, kUrl);
  clock_.Advance(shared_.options.gone_after);
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, GoneAfterTheFinalRequestIsUnconfirmedAndNeverSentAgain) {
  FinalAnswerLost(1000);
  ServerHasForgotten();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("may have been published"));
  EXPECT_EQ(TheInode().content, Content::kFinished) << "its bytes are kept";
  clock_.Advance(std::chrono::hours(48));
  Steps(3);
  Restart();
  Steps(3);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferTrouble, A404OfAPortalIsNotTheServersWord) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, OtherAnswer(404, {}, "<html>not here</html>"));
  Next("OPTIONS", kEndpoint, OtherAnswer(200, {}, "<html>log in</html>"));
  Steps(1);
  EXPECT_FALSE(endpoint_.state().reachable);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kFinalSent);
}

TEST_F(TransferTrouble, A404WithoutTusResumableIsBelievedWhereTheEndpointIsATusServers) {
  Created(1000);
  memory_.recheck = true;
  for (int i = 0; i < 2; ++i) {
    Next("HEAD", kUrl, OtherAnswer(404, {}, "not found"));
    Next("OPTIONS", kEndpoint, TusAnswer(204, {{"Tus-Version", "1.0.0"}}));
    Steps(1);
    EXPECT_EQ(TheUpload().has_value(), i == 0);
    clock_.Advance(shared_.options.gone_after);
  }
  EXPECT_TRUE(endpoint_.state().reachable);
}

TEST_F(TransferTrouble, ALostFinalAnswerWithACompleteUploadIsUploadedAndOnce) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, ALostFinalAnswerIsFoundOutAfterARestartToo) {
  FinalAnswerLost(1000);
  Restart();
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, AFinalRequestThatNeverArrivedIsNoReasonToCallALossUnconfirmed) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, HeadAnswer(400, 1000));
  Steps(1);
  memory_.recheck = true;
  ServerHasForgotten();
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

// The server called it incomplete while its last bytes were still on their way.
TEST_F(TransferTrouble, AFinalRequestThatArrivesLateIsNotSentASecondTime) {
  FinalAnswerLost(1000);
  Next("HEAD", kUrl, HeadAnswer(400, 1000));
  Steps(1);
  memory_.recheck = true;
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferTrouble, AnUploadThatMayBePublishedIsNotMadeAnewBecauseItIsLocked) {
  FinalAnswerLost(1000);
  for (int i = 0; i < 25; ++i) {
    Next("HEAD", kUrl, [&](HttpRequest const&) {
      clock_.Advance(std::chrono::seconds(20));
      return TusAnswer(500);
    });
    Steps(1);
    clock_.Advance(std::chrono::minutes(2));
  }
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferTrouble, AnUploadThatTheServerCompletedByItselfIsNeverDeleted) {
  Append(4 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  FinishFile();
  Restart();
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule, 2 * kGranule));
  Steps(1);
  for (auto const& id : ownerless_) {
    Next("HEAD", kUrl, HeadAnswer(2 * kGranule, 2 * kGranule));
    EXPECT_EQ(EndUpload(id).next, std::nullopt);
  }
  EXPECT_NE(TheInode().content, Content::kUploaded) << "half a file is not the file";
}

// ---- refused

TEST_F(TransferTrouble, ARefusedFinalRequestFailsWithTheServersWords) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(422, {}, "no clips of this codec"));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("no clips of this codec"));
  EXPECT_EQ(TheInode().content, Content::kFinished) << "its bytes are kept";
  Steps(2);  // and it does not try again at once
}

TEST_F(TransferTrouble, WhatTheServerHasRefusedAtItsEndIsNotSentAgainUntilSomebodyWantsIt) {
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(422));
  Steps(1);
  for (bool const restarts : {false, true}) {
    if (restarts) Restart();
    clock_.Advance(2 * shared_.options.retry_failed);
    EXPECT_EQ(Step().next, std::nullopt);
  }
  ChangeUpload([](Upload& upload) { upload.error.clear(); });
  Steps(1);
  ExpectSentWhole(kSecondUrl);
}

TEST_F(TransferTrouble, ARefusedFileIsTriedAgainSlowly) {
  shared_.options.retry_refused = true;
  Created(1000);
  Next("PATCH", kUrl, TusAnswer(422));
  auto const outcome = Step();
  EXPECT_EQ(outcome.next, clock_.Steady() + shared_.options.retry_failed);
  clock_.Advance(shared_.options.retry_failed);
  Steps(1);
  ExpectSentWhole(kSecondUrl);
}

TEST_F(TransferTrouble, ARefusedCreationFailsTheFileAndNotTheEndpoint) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, TusAnswer(400, {}, "bad name"));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("bad name"));
  EXPECT_TRUE(endpoint_.state().reachable);
}

TEST_F(TransferTrouble, TooLargeABodyIsSentInSmallerPieces) {
  Created(2 * kGranule);
  Next("PATCH", kUrl, OtherAnswer(413, {{"Server", "nginx"}}));
  Steps(1);
  Next("HEAD", kUrl, HeadAnswer(0, 2 * kGranule));
  NextPatch(kUrl, 0, kGranule, "(none)");
  NextPatch(kUrl, kGranule, 2 * kGranule, "(none)");
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

// ---- an answer that is not the server's

TEST_F(TransferTrouble, ACaptivePortalIsAnOutageAndNoFileFails) {
  Created(1000);
  for (int i = 0; i < 3; ++i) {
    Next(i == 0 ? "PATCH" : "HEAD", kUrl, OtherAnswer(200, {}, "<html>Log in</html>"));
    Steps(1);
    EXPECT_FALSE(endpoint_.state().reachable);
  }
  EXPECT_THAT(endpoint_.state().error, HasSubstr("not as a tus server"));
  EXPECT_NE(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

TEST_F(TransferTrouble, APortalThatAnswersACreationWith201IsNotBelieved) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, OtherAnswer(201, {{"Location", "http://portal/login"}}));
  Steps(1);
  EXPECT_EQ(TheUpload()->url, "");
  EXPECT_FALSE(endpoint_.state().reachable);
}

TEST_F(TransferTrouble, APortalThatAnswersTheFinalPatchWith204PublishesNothing) {
  Created(1000);
  Next("PATCH", kUrl, OtherAnswer(204, {{"Upload-Offset", "1000"}}));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

// ---- names

TEST_F(TransferTrouble, AFileRenamedBeforeItIsFinishedIsMadeAnewUnderItsNewName) {
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  RenameTo("other.bin");
  FinishFile();
  Steps(1);
  EXPECT_THAT(ownerless_, SizeIs(1));
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    auto const metadata = tus::DecodeMetadata(HeaderOf(request, "Upload-Metadata")).value();
    EXPECT_THAT(metadata, testing::Contains(testing::Pair("filename", "other.bin")));
    return CreatedAt(kSecondUrl);
  });
  Steps(1);
}

TEST_F(TransferTrouble, AFileRenamedToTheNameThatWasDeclaredGoesOn) {
  RenameTo("clip.mov.part");
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    auto const metadata = tus::DecodeMetadata(HeaderOf(request, "Upload-Metadata")).value();
    EXPECT_THAT(metadata, testing::Contains(testing::Pair("filename", "clip.mov")));
    return CreatedAt(kUrl);
  });
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  RenameTo("clip.mov");
  FinishFile();
  NextPatch(kUrl, 2 * kGranule, 2 * kGranule + 1, std::to_string(2 * kGranule + 1));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferTrouble, AFinalRequestThatNeverArrivedDoesNotTieAFileToItsOldName) {
  Created(1000);
  Next("PATCH", kUrl, Broken(ErrorCode::kUnreachable));
  Steps(1);
  RenameTo("other.bin");
  Steps(1);
  EXPECT_THAT(ownerless_, SizeIs(1)) << "made anew under the new name";
}

TEST_F(TransferTrouble, AFileThatGrewAfterItsLengthWasDeclaredStartsOver) {
  Created(1000);
  Append(10);
  FinishFile();
  Steps(1);
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "1010");
    return CreatedAt(kSecondUrl);
  });
  NextPatch(kSecondUrl, 0, 1010, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

// ---- the local disk

TEST_F(TransferTrouble, BytesThatAreMissingFailTheFileAndSaySo) {
  Append(1000);
  FinishFile();
  version_.reset();
  ASSERT_TRUE(Ok(spool_->Remove(kFile)));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFailed);
  EXPECT_THAT(TheInode().reason, HasSubstr("missing"));
}

TEST_F(TransferTrouble, AnUploadedFileNeedsNoBytesHere) {
  Created(1000);
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(1);
  for (VersionId const version : {VersionId{0}, VersionId{77}}) {
    ChangeInode([&](Inode& inode) { inode.version = version; });
    Steps(2);
    EXPECT_EQ(TheInode().content, Content::kUploaded);
  }
}

TEST_F(TransferTrouble, AShorterSpoolFileThanTheCatalogSaysIsNeverSentAsTheFile) {
  Append(1000);
  FinishFile();
  ChangeInode([](Inode& inode) { inode.size = 1001; });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFailed);
}

TEST_F(TransferTrouble, ASourceThatFailsIsNotHeldAgainstTheBodyThatReplacedIt) {
  Created(1000);
  Next("PATCH", kUrl, [this](HttpRequest const&) {
    auto const fresh = spool_->Create(77);
    EXPECT_TRUE(Ok(fresh));
    ChangeInode([](Inode& inode) {  // O_TRUNC came meanwhile
      inode.version = 77;
      inode.size = 0;
      inode.upload = {};
      inode.content = Content::kWriting;
    });
    return Broken(ErrorCode::kSource);
  });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kWriting);
}

TEST_F(TransferTrouble, AVersionThatWasReplacedWhileItsFinalPatchRanIsNotMarkedUploaded) {
  Created(1000);
  Next("PATCH", kUrl, [this](HttpRequest const&) {
    EXPECT_TRUE(Ok(spool_->Create(77)));
    auto const swapped = store_->Update([](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, kFile);
      auto const detached = DetachUpload(transaction, *inode);
      if (!detached) return Failure(detached.error());
      inode->version = 77;
      inode->size = 0;
      inode->content = Content::kFinished;
      PutInode(transaction, *inode);
      return {};
    });
    EXPECT_TRUE(Ok(swapped));
    return OffsetIs(1000);
  });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFinished);
  EXPECT_TRUE(TheInode().upload.IsNil());
}

// ---- uploads without a file

TEST_F(TransferTrouble, AnUnfinishedUploadWithoutAFileIsTerminated) {
  Created(1000);
  auto const id = TheUpload()->id;
  ChangeUpload([](Upload& upload) { upload.owner = 0; });
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Next("DELETE", kUrl, TusAnswer(204));
  EXPECT_EQ(EndUpload(id).next, std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TransferTrouble, ACompleteUploadWithoutAFileIsNeverTerminated) {
  FinalAnswerLost(1000);
  auto const id = TheUpload()->id;
  ChangeUpload([](Upload& upload) { upload.owner = 0; });
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  EXPECT_EQ(EndUpload(id).next, std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TransferTrouble, WhatCannotBeAskedAboutIsNotTerminatedButAskedAgain) {
  FinalAnswerLost(1000);
  auto const id = TheUpload()->id;
  ChangeUpload([](Upload& upload) { upload.owner = 0; });
  Next("HEAD", kUrl, TusAnswer(500));
  EXPECT_NE(EndUpload(id).next, std::nullopt);
  EXPECT_THAT(Uploads(), SizeIs(1));
}

TEST_F(TransferTrouble, AnUploadWithAFileIsNeverTerminated) {
  Created(1000);
  EXPECT_EQ(EndUpload(TheUpload()->id).next, std::nullopt);
  EXPECT_THAT(Uploads(), SizeIs(1));
}

TEST_F(TransferTrouble, AnUploadWhoseFileWentAwayDuringItsCreationIsTerminated) {
  Append(1000);
  FinishFile();
  std::stop_source stop;
  Next("POST", kEndpoint, [&](HttpRequest const&) {
    auto const removed = store_->Update([](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, kFile);
      auto const detached = DetachUpload(transaction, *inode);
      if (!detached) return Failure(detached.error());
      return DeleteInode(transaction, *inode);
    });
    EXPECT_TRUE(Ok(removed));
    stop.request_stop();  // as the uploader does; the answer was on its way already
    return CreatedAt(kUrl);
  });
  static_cast<void>(Step(stop.get_token()));
  ASSERT_THAT(ownerless_, SizeIs(1));
  EXPECT_THAT(Uploads(), SizeIs(1)) << "a successor must know it too";
  Next("HEAD", kUrl, HeadAnswer(0, 1000));
  Next("DELETE", kUrl, TusAnswer(204));
  EXPECT_EQ(EndUpload(ownerless_[0]).next, std::nullopt);
}

}  // namespace
}  // namespace tusfs
