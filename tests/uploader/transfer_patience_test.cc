// Transfer: how long a file is tried (--give-up), and what is said of one that cannot succeed.
#include <gmock/gmock.h>

#include "uploader/trouble_rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tus::TusAnswer;

class TransferPatience : public TransferTrouble {
 protected:
  TransferPatience() { shared_.options.give_up = std::chrono::hours(2); }

  /// The server says no to each request, for so long.
  void Locked(std::chrono::minutes time) {
    for (auto const end = clock_.Steady() + time; clock_.Steady() < end;) {
      Next("HEAD", kUrl, TusAnswer(503, {}, "out of space"));
      Steps(1);
      clock_.Advance(std::chrono::minutes(5));
      if (TheUpload()->phase == UploadPhase::kRefused) return;
      if (TheUpload()->phase == UploadPhase::kUnconfirmed) return;
    }
  }
};

TEST_F(TransferPatience, AFileThatNothingIsTakenOfIsGivenUpWithTheServersWords) {
  Created(3 * kGranule);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  memory_.recheck = true;
  Locked(std::chrono::minutes(100));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
  Locked(std::chrono::hours(1));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("given up"));
  EXPECT_THAT(TheUpload()->error, HasSubstr("out of space"));
}

TEST_F(TransferPatience, WhatTheServerHasOfItIsGoneOnWithLater) {
  Created(3 * kGranule);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  memory_.recheck = true;
  Locked(std::chrono::hours(4));
  ASSERT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  Restart();
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule, 3 * kGranule));
  Steps(1);
  EXPECT_FALSE(TheUpload()->given_up);
  NextPatch(kUrl, 2 * kGranule, 3 * kGranule, "(none)");
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferPatience, ProgressStartsItsTimeAnew) {
  Created(3 * kGranule);
  memory_.recheck = true;
  Locked(std::chrono::minutes(90));
  Next("HEAD", kUrl, HeadAnswer(0, 3 * kGranule));
  Steps(1);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  memory_.recheck = true;
  Locked(std::chrono::minutes(90));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
}

TEST_F(TransferPatience, APauseOfTheWriterIsNoStandstill) {
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  memory_.recheck = true;
  Locked(std::chrono::minutes(30));
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule, std::nullopt));
  Steps(2);  // and there is nothing to send
  clock_.Advance(std::chrono::hours(5));
  memory_.recheck = true;
  Locked(std::chrono::minutes(30));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
}

TEST_F(TransferPatience, AnOutageOfTheServerIsNoFaultOfTheFile) {
  Created(3 * kGranule);
  memory_.recheck = true;
  Locked(std::chrono::minutes(60));
  endpoint_.Failed({.code = tus::ErrorCode::kUnreachable, .message = "no route"});
  clock_.Advance(std::chrono::hours(10));
  Announce("creation,creation-defer-length,termination");
  Locked(std::chrono::minutes(60));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
}

TEST_F(TransferPatience, WhatMayBePublishedIsNeverGivenUpButAPersonIsAsked) {
  FinalAnswerLost(1000);
  memory_.recheck = true;
  Locked(std::chrono::hours(4));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_THAT(TheUpload()->error, HasSubstr("given up"));
}

TEST_F(TransferPatience, WithoutTheOptionItIsTriedForEver) {
  shared_.options.give_up = {};
  Created(3 * kGranule);
  memory_.recheck = true;
  Locked(std::chrono::hours(100));
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
}

class TransferExpiresAgain : public TransferTrouble {
 protected:
  /// One upload that the server deletes in the middle.
  void Expires(std::string const& url) {
    auto const expires =
        std::chrono::sys_seconds(std::chrono::seconds(clock_.Wall() / 1'000'000'000 + 600));
    char text[40];
    auto const time = std::chrono::system_clock::to_time_t(expires);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    Next("POST", kEndpoint, TusAnswer(201, {{"Location", url}, {"Upload-Expires", text}}));
    Steps(1);
    NextPatch(url, 0, 2 * kGranule, "(none)");
    Steps(1);
    clock_.Advance(std::chrono::minutes(11));
    memory_.recheck = true;
    Next("HEAD", url, TusAnswer(410));
    Next("OPTIONS", kEndpoint, TusAnswer(204, {{"Tus-Version", "1.0.0"}}));
    Steps(1);
  }
};

TEST_F(TransferExpiresAgain, IsSaidWithWhatWouldHelp) {
  Append(3 * kGranule);
  FinishFile();
  Expires("http://tus:1080/files/1");
  Expires("http://tus:1080/files/2");
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  EXPECT_THAT(TheUpload()->error, HasSubstr("deleted it 2 times before its end"));
  EXPECT_THAT(TheUpload()->error, HasSubstr("600 s after its creation"));
  EXPECT_THAT(TheUpload()->error, HasSubstr("--transfers"));
}

TEST_F(TransferExpiresAgain, IsSeenByAPatchToo) {
  Append(3 * kGranule);
  FinishFile();
  Expires("http://tus:1080/files/1");
  Next("POST", kEndpoint,
       TusAnswer(201, {{"Location", kUrl}, {"Upload-Expires", "Thu, 01 Jan 1970 00:00:10 GMT"}}));
  Steps(1);
  Next("PATCH", kUrl, TusAnswer(410));
  Steps(1);
  EXPECT_THAT(memory_.trouble.warning, HasSubstr("deleted it 2 times"));
}

TEST_F(TransferExpiresAgain, IsGivenUpWhenItTakesTooLong) {
  shared_.options.give_up = std::chrono::minutes(30);
  Append(3 * kGranule);
  FinishFile();
  for (int i = 1; i < 10 && TheInode().upload.IsNil(); ++i) {
    Expires("http://tus:1080/files/" + std::to_string(i));
  }
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("times before its end"));
}

}  // namespace
}  // namespace tusfs
