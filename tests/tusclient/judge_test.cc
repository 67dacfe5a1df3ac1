// The judge's table, row by row.
#include "tusclient/judge.h"

#include <gmock/gmock.h>

#include <vector>

namespace tus {
namespace {

using End = UploadFacts::End;
using Lesson = Judgement::Lesson;
using Next = Judgement::Next;
using Pause = Judgement::Pause;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::uint64_t kSize = 100;

Error Answered(int status, ErrorCode code, std::string words = "words") {
  return {.code = code, .http_status = status, .message = std::move(words)};
}

Error NoAnswer() { return {.code = ErrorCode::kInterrupted, .message = "the line is dead"}; }

UploadStatus At(std::uint64_t offset, std::optional<std::uint64_t> length = kSize) {
  return {.offset = offset, .length = length};
}

class Judge : public testing::Test {
 protected:
  UploadFacts facts_{.confirmed = 60, .announced = 60, .size = kSize, .most = 60};

  static SentRange Middle() { return {.begin = 60, .end = 80, .left = 20}; }
  static SentRange Last() { return {.begin = 60, .end = kSize, .last = true, .left = 40}; }

  Judgement Head(Result<UploadStatus> const& came, std::chrono::nanoseconds elapsed = {}) {
    return JudgeStatus(facts_, came, elapsed);
  }
  Judgement Head(Error const& error, std::chrono::nanoseconds elapsed = {}) {
    return JudgeStatus(facts_, tl::unexpected(error), elapsed);
  }
  Judgement Patch(SentRange const& sent, Error const& error,
                  std::chrono::nanoseconds elapsed = {}) {
    Announce(facts_, sent);
    return JudgePatch(facts_, sent, tl::unexpected(error), elapsed);
  }
  Judgement Patch(SentRange const& sent, std::uint64_t offset) {
    Announce(facts_, sent);
    return JudgePatch(facts_, sent, Patched{.offset = offset}, {});
  }
};

TEST_F(Judge, SendsFromWhereTheServerIs) {
  EXPECT_EQ(Patch(Middle(), 80).next, Next::kSend);
  EXPECT_EQ(facts_.confirmed, 80U);
  EXPECT_EQ(Patch({.begin = 80, .end = 100, .last = true, .left = 20}, 100).next, Next::kComplete);
  EXPECT_FALSE(MayBeGivenUp(facts_));
}

TEST_F(Judge, TakesASmallerOffsetForTheTruth) {
  auto const judgement = Head(At(40));
  EXPECT_EQ(judgement.next, Next::kSend);
  EXPECT_FALSE(judgement.progressed);
  EXPECT_EQ(facts_.confirmed, 40U);
}

TEST_F(Judge, AsksAfterAShortAnswerToTheEnd) { EXPECT_EQ(Patch(Last(), 90).next, Next::kAsk); }

TEST_F(Judge, WaitsForAServerThatTakesNothing) {
  auto const judgement = Patch(Middle(), 60);
  EXPECT_EQ(judgement.next, Next::kAsk);
  EXPECT_EQ(judgement.pause, Pause::kBackoff);
}

TEST_F(Judge, StartsOverWhatIsNotItsOwn) {
  EXPECT_EQ(Head(At(61)).next, Next::kStartOver);
  EXPECT_TRUE(Head(At(10, 99)).deletes);
  EXPECT_FALSE(Head(At(99, 99)).deletes) << "what is published is not ours to delete";
}

TEST_F(Judge, DoesNotBelieveThatItIsCompleteBeforeItsEndWasSent) {
  auto const judgement = Head(At(kSize));
  EXPECT_EQ(judgement.next, Next::kStartOver) << judgement.why;
  EXPECT_FALSE(judgement.deletes);
}

TEST_F(Judge, TakesTheCreationOfAnEmptyUploadForItsEnd) {
  facts_ = {.size = 0};
  EXPECT_EQ(Head(At(0, 0)).next, Next::kComplete);
}

TEST_F(Judge, TakesTheServersWordWhereTheAnswerToTheEndWasLost) {
  Patch(Last(), NoAnswer());
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, TakesAnOddSuccessForNoWordAboutTheEnd) {
  Patch(Last(), Answered(204, ErrorCode::kProtocol));
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, TakesALocksTimeOutForNoWordAboutTheEnd) {
  Patch(Last(), Answered(500, ErrorCode::kLocked));
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, KnowsALateArrivalOfALostEnd) {
  Patch(Last(), NoAnswer());
  EXPECT_EQ(Head(At(60)).next, Next::kSend);
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, TellsANoThatIsNotThereFromAPortal) {
  EXPECT_EQ(Head(Answered(404, ErrorCode::kNotTus)).pause, Pause::kSecondLook);
  facts_.is_missed = true;
  EXPECT_EQ(Head(Answered(410, ErrorCode::kNotTus)).next, Next::kStartOver);
  EXPECT_TRUE(Head(Answered(200, ErrorCode::kNotTus)).endpoint);
}

TEST_F(Judge, GoesOnAfterAnEmptyBodyThatWasTaken) {
  EXPECT_EQ(Patch({.begin = 60, .end = 60}, 60).next, Next::kSend);
}

TEST_F(Judge, NeverTakesAnAnsweredRefusalForSuccess) {
  for (int const status : {400, 401, 403, 404, 409, 413, 415, 422, 423}) {
    facts_ = {.confirmed = 60, .announced = 60, .size = kSize};
    auto const code = status == 401 || status == 403 ? ErrorCode::kUnauthorized
                      : status == 404                ? ErrorCode::kGone
                      : status == 409                ? ErrorCode::kTransient
                      : status == 413                ? ErrorCode::kTooLarge
                      : status == 423                ? ErrorCode::kLocked
                                                     : ErrorCode::kRefused;
    auto judgement = Patch(Last(), Answered(status, code, "the hook says no"));
    if (judgement.next == Next::kAsk) judgement = Head(At(kSize));
    EXPECT_EQ(judgement.next, Next::kRefused) << status;
    EXPECT_EQ(judgement.why, "the hook says no");
    EXPECT_FALSE(MayBeGivenUp(facts_) && status != 404) << status;
  }
}

TEST_F(Judge, AsksAPersonWhereTheEndWasAnsweredWithTrouble) {
  for (int const status : {500, 503}) {
    facts_ = {.confirmed = 60, .announced = 60, .size = kSize};
    EXPECT_EQ(Patch(Last(), Answered(status, ErrorCode::kTransient, "disk full")).next, Next::kAsk);
    auto const judgement = Head(At(kSize));
    EXPECT_EQ(judgement.next, Next::kUnconfirmed);
    EXPECT_THAT(judgement.why, HasSubstr("disk full"));
  }
}

TEST_F(Judge, LearnsFromASecondTryThatTheFirstHasArrived) {
  Patch(Last(), NoAnswer());
  EXPECT_EQ(Head(At(60)).next, Next::kSend) << "it is still in a proxy";
  EXPECT_EQ(Patch(Last(), Answered(409, ErrorCode::kTransient)).next, Next::kAsk);
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, KnowsThatNothingIsPublishedBeforeTheLastByteHasLeft) {
  auto sent = Last();
  sent.left = 39;
  Patch(sent, NoAnswer());
  EXPECT_TRUE(MayBeGivenUp(facts_));
  facts_.is_missed = true;
  EXPECT_EQ(Head(Answered(404, ErrorCode::kGone)).next, Next::kStartOver);
}

TEST_F(Judge, SaysThatItMayHaveBeenPublishedWhereTheUploadIsGoneAfterItsEnd) {
  Patch(Last(), NoAnswer());
  EXPECT_EQ(Head(Answered(404, ErrorCode::kGone)).pause, Pause::kSecondLook);
  facts_.is_missed = true;
  EXPECT_EQ(Head(Answered(410, ErrorCode::kGone)).next, Next::kUnconfirmed);
}

TEST_F(Judge, StartsOverWhereTheEndFoundNoUploadEither) {
  EXPECT_EQ(Patch(Last(), Answered(404, ErrorCode::kGone)).pause, Pause::kSecondLook);
  facts_.is_missed = true;
  auto const judgement = Head(Answered(404, ErrorCode::kGone));
  EXPECT_EQ(judgement.next, Next::kStartOver);
  EXPECT_FALSE(judgement.deletes);
}

TEST_F(Judge, BelievesAnExpiryAtOnce) {
  facts_.expired = true;
  EXPECT_EQ(Head(Answered(410, ErrorCode::kGone)).next, Next::kStartOver);
}

TEST_F(Judge, LeavesWhatStaysLocked) {
  for (int i = 1; i < 10; ++i) {
    EXPECT_EQ(Head(Answered(423, ErrorCode::kLocked)).pause, Pause::kBackoff);
  }
  auto const judgement = Head(Answered(500, ErrorCode::kTransient), seconds(0));
  EXPECT_EQ(judgement.next, Next::kStartOver) << "a 500 after locks is one more";
  EXPECT_TRUE(judgement.deletes);
}

TEST_F(Judge, NeverLeavesWhatIsLockedByItsOwnEnd) {
  Patch(Last(), NoAnswer());
  for (int i = 1; i < 100; ++i) {
    EXPECT_EQ(Head(Answered(500, ErrorCode::kTransient), seconds(20)).next, Next::kAsk);
  }
  EXPECT_EQ(Head(Answered(500, ErrorCode::kTransient), seconds(20)).next, Next::kUnconfirmed);
}

TEST_F(Judge, NeverGivesUpBytesThatAreNowhereElse) {
  facts_.floor = 40;
  facts_.is_missed = true;
  EXPECT_FALSE(MayBeGivenUp(facts_));
  EXPECT_EQ(Head(Answered(404, ErrorCode::kGone)).next, Next::kLost);
  EXPECT_EQ(Head(At(39)).next, Next::kLost);
  EXPECT_EQ(Head(At(40)).next, Next::kSend);
}

TEST_F(Judge, TellsTheEndpointsTroubleFromTheUploads) {
  EXPECT_TRUE(Patch(Middle(), Answered(502, ErrorCode::kNotTus)).endpoint);
  EXPECT_FALSE(Patch(Middle(), Answered(503, ErrorCode::kTransient)).endpoint);
  EXPECT_EQ(Head(Answered(403, ErrorCode::kUnauthorized)).pause, Pause::kCredentials);
}

TEST_F(Judge, LearnsFromWhatIsRefused) {
  EXPECT_EQ(Patch(Middle(), Answered(413, ErrorCode::kTooLarge)).lesson, Lesson::kSmallerBody);
  auto sent = Middle();
  sent.checksum = true;
  EXPECT_EQ(Patch(sent, Answered(400, ErrorCode::kRefused)).lesson, Lesson::kNoChecksum);
  EXPECT_EQ(Patch(Middle(), Answered(400, ErrorCode::kRefused)).next, Next::kRefused);
}

TEST_F(Judge, LearnsThatAServerWantsTheLengthWithTheFirstBytes) {
  auto const refused = Answered(400, ErrorCode::kRefused);
  facts_ = {.confirmed = 0, .announced = 0};
  SentRange first{.begin = 0, .end = 20, .deferred = true, .left = 20};
  auto const judgement = Patch(first, refused);
  EXPECT_EQ(judgement.next, Next::kStartOver);
  EXPECT_EQ(judgement.lesson, Lesson::kNoDefer);
  EXPECT_TRUE(judgement.deletes);
  first.deferred = false;
  EXPECT_EQ(Patch(first, refused).next, Next::kRefused);
  EXPECT_EQ(Patch({.begin = 20, .end = 40, .deferred = true, .left = 20}, refused).next,
            Next::kRefused);
}

TEST_F(Judge, TakesARefusedHeadForNoWordAboutTheEnd) {
  auto const refused = Answered(405, ErrorCode::kRefused);
  EXPECT_EQ(Head(refused).next, Next::kRefused);
  Patch(Last(), NoAnswer());
  EXPECT_EQ(Head(refused).next, Next::kUnconfirmed);
  facts_.end = End::kRefused;
  facts_.end_words = "the hook says no";
  auto const judgement = Head(refused);
  EXPECT_EQ(judgement.next, Next::kRefused);
  EXPECT_EQ(judgement.why, "the hook says no");
}

TEST_F(Judge, TakesABrokenStatusForNoWordAboutTheEnd) {
  Patch(Last(), Answered(999, ErrorCode::kProtocol));
  EXPECT_EQ(facts_.end, End::kSent) << "it was lost";
  EXPECT_EQ(Head(At(kSize)).next, Next::kComplete);
}

TEST_F(Judge, SendsADamagedBodyAgainAndAsksAfterThree) {
  auto const mismatch = Answered(460, ErrorCode::kChecksumMismatch);
  EXPECT_EQ(Patch(Last(), mismatch).next, Next::kSend);
  EXPECT_TRUE(MayBeGivenUp(facts_)) << "nothing of it was kept";
  EXPECT_EQ(Patch(Middle(), mismatch).next, Next::kSend);
  EXPECT_EQ(Patch(Middle(), mismatch).next, Next::kAsk);
}

TEST_F(Judge, HasPatienceWithOneOddAnswer) {
  EXPECT_EQ(Head(Answered(200, ErrorCode::kProtocol)).next, Next::kAsk);
  EXPECT_EQ(Patch(Middle(), Answered(204, ErrorCode::kProtocol)).next, Next::kAsk);
}

TEST(JudgeJoinTest, JoinsOnceMoreOnlyWhereNothingWasMade) {
  struct Row {
    Error error;
    Next next;
  };
  std::vector<Row> const rows{
      {{.code = ErrorCode::kUnreachable}, Next::kSend},
      {Answered(423, ErrorCode::kLocked), Next::kSend},
      {Answered(401, ErrorCode::kUnauthorized), Next::kSend},
      {Answered(429, ErrorCode::kTransient), Next::kSend},
      {Answered(503, ErrorCode::kTransient), Next::kSend},
      {Answered(503, ErrorCode::kNotTus), Next::kSend},
      {Answered(302, ErrorCode::kNotTus), Next::kSend},
      {Answered(404, ErrorCode::kNotTus), Next::kSend},
      {NoAnswer(), Next::kUnconfirmed},
      {{.code = ErrorCode::kCancelled}, Next::kUnconfirmed},
      {Answered(500, ErrorCode::kTransient), Next::kUnconfirmed},
      {Answered(502, ErrorCode::kNotTus), Next::kUnconfirmed},
      {Answered(504, ErrorCode::kNotTus), Next::kUnconfirmed},
      {Answered(201, ErrorCode::kProtocol), Next::kUnconfirmed},
      {Answered(404, ErrorCode::kRefused), Next::kStartOver},
      {Answered(410, ErrorCode::kGone), Next::kStartOver},
      {Answered(400, ErrorCode::kRefused), Next::kRefused},
      {Answered(501, ErrorCode::kTransient), Next::kRefused},
      {Answered(413, ErrorCode::kTooLarge), Next::kRefused},
      {{.code = ErrorCode::kInvalidArgument}, Next::kFail},
      {{.code = ErrorCode::kSource}, Next::kFail},
  };
  for (auto const& row : rows) {
    auto const judgement = JudgeJoin(tl::unexpected(row.error));
    EXPECT_EQ(judgement.next, row.next) << Name(row.error.code) << " " << row.error.http_status;
    EXPECT_EQ(judgement.pause != Pause::kNone, row.next == Next::kSend) << "once more, in time";
  }
  EXPECT_EQ(JudgeJoin(Created{}).next, Next::kComplete);
}

}  // namespace
}  // namespace tus
