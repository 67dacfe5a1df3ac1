// Upload: from creation to completion, and on after another process was killed.
#include "upload_rig.h"

namespace tus {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class UploadSends : public UploadRig {
 protected:
  void SetUp() override { Announce({.creation = true, .creation_defer_length = true}); }
};

TEST_F(UploadSends, ChunkByChunkAndForgetsWhatIsComplete) {
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89", TusAnswer(204, {{"Upload-Offset", "10"}, {"X-Receipt", "r"}}, "thanks"));
  auto const receipt = Send();
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->url, kUrl);
  EXPECT_EQ(receipt->size, 10U);
  EXPECT_EQ(receipt->body, "thanks");
  EXPECT_FALSE(receipt->resumed);
  EXPECT_THAT(store_.uploads, IsEmpty());
}

TEST_F(UploadSends, TellsThatItIsCompleteBeforeItForgetsIt) {
  auto options = Options();
  std::vector<Receipt> told;
  options.on_completed = [&](Receipt const& receipt) {
    told.push_back(receipt);
    EXPECT_THAT(store_.uploads, SizeIs(1));
  };
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89");
  ASSERT_TRUE(Send(options));
  EXPECT_THAT(store_.uploads, IsEmpty());
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].url, kUrl);
  EXPECT_EQ(told[0].size, 10U);
}

TEST_F(UploadSends, DoesNotTellThatItIsCompleteWhenItIsNot) {
  auto options = Options();
  options.on_completed = [](Receipt const&) { FAIL(); };
  ExpectCreation();
  ExpectPatch(0, "0123", TusAnswer(400));
  EXPECT_FALSE(Send(options));
}

TEST_F(UploadSends, AsksAServerThatItDoesNotKnow) {
  ServerProfile unknown{SmallChunks()};
  auto options = Options();
  options.profile = &unknown;
  ExpectOptions();
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89");
  EXPECT_TRUE(Send(options));
  EXPECT_TRUE(unknown.Info()->creation);
}

TEST_F(UploadSends, DoesWithoutAnnouncementsWhereAProxyAnswersOptions) {
  ServerProfile unknown;
  auto options = Options();
  options.profile = &unknown;
  transport_.Next("OPTIONS", kEndpoint, OtherAnswer(200));
  ExpectCreation();
  ExpectPatch(0, bytes_);
  EXPECT_TRUE(Send(options));
}

TEST_F(UploadSends, NothingButTheCreationOfAnEmptyFile) {
  ExpectCreation();
  auto const receipt = Upload(client_, Options()).Send(source_, 0);
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->size, 0U);
}

TEST_F(UploadSends, ASmallFileWithItsCreationWhereAsked) {
  Announce({.creation = true, .creation_with_upload = true});
  auto options = Options();
  options.creation_with_upload = 10;
  transport_.Next("POST", kEndpoint, [&](HttpRequest const& request) {
    EXPECT_EQ(BodyOf(request), bytes_);
    return TusAnswer(201, {{"Location", kUrl}, {"Upload-Offset", "10"}});
  });
  EXPECT_TRUE(Send(options));
  options.creation_with_upload = 9;
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89");
  EXPECT_TRUE(Send(options));
}

TEST_F(UploadSends, TheRestWhereACreationTookOnlyPartOfTheBody) {
  Announce({.creation = true, .creation_with_upload = true});
  auto options = Options();
  options.creation_with_upload = 10;
  transport_.Next("POST", kEndpoint, TusAnswer(201, {{"Location", kUrl}, {"Upload-Offset", "7"}}));
  ExpectPatch(7, "789");
  EXPECT_TRUE(Send(options));
}

TEST_F(UploadSends, TheSameIdempotencyKeyForOneUploadOnly) {
  std::vector<std::string> keys;
  auto const created = [&](Result<HttpResponse> answer) {
    transport_.Next("POST", kEndpoint, [&keys, answer](HttpRequest const& request) {
      keys.push_back(HeaderOf(request, "Idempotency-Key"));
      return answer;
    });
  };
  created(Broken());
  created(TusAnswer(201, {{"Location", kUrl}}));
  EXPECT_TRUE(Upload(client_, Options()).Send(source_, 0));
  created(TusAnswer(201, {{"Location", kUrl}}));
  EXPECT_TRUE(Upload(client_, Options()).Send(source_, 0));
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(keys[0].size(), 32U);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[1], keys[2]);
}

TEST_F(UploadSends, TheDigestWithTheLastBytesOnly) {
  auto options = Options();
  options.sha256 = std::string(32, 'x');
  ExpectCreation();
  for (std::uint64_t const offset : {0U, 4U, 8U}) {
    transport_.Next("PATCH", kUrl, [offset](HttpRequest const& request) {
      EXPECT_EQ(HeaderOf(request, "Repr-Digest"),
                offset == 8 ? "sha-256=:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=:" : "(none)");
      return At(std::min<std::uint64_t>(offset + 4, 10));
    });
  }
  EXPECT_TRUE(Send(options));
}

TEST_F(UploadSends, ChecksumsWhereTheServerHasThem) {
  Announce({.creation = true, .checksum_algorithms = {"md5", "crc32", "SHA256", "sha1"}});
  ServerProfile large;
  large.Announced(*profile_.Info());
  auto options = Options();
  options.profile = &large;
  ExpectCreation();
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Checksum"), "sha1 h6zsF82dzSCnFsws9nQXtxyKcBY=");
    return At(10);
  });
  EXPECT_TRUE(Send(options)) << "names are told apart by case";
}

TEST_F(UploadSends, ReportsWhatIsSentAndWhatIsConfirmed) {
  std::vector<std::uint64_t> confirmed;
  std::vector<std::uint64_t> sent;
  auto options = Options();
  options.on_confirmed = [&](std::uint64_t offset) { confirmed.push_back(offset); };
  options.on_sent = [&](std::uint64_t offset) { sent.push_back(offset); };
  ExpectCreation();
  for (std::uint64_t const offset : {0U, 4U, 8U}) {
    transport_.Next("PATCH", kUrl, [offset](HttpRequest const& request) {
      request.on_sent(request.body_length);
      return At(offset + request.body_length);
    });
  }
  auto const receipt = Send(options);
  ASSERT_TRUE(receipt);
  EXPECT_THAT(confirmed, ElementsAre(4, 8, 10));
  EXPECT_THAT(sent, ElementsAre(4, 8, 10));
  EXPECT_EQ(receipt->sent, 10U);
}

// ---- after another process

class UploadResumes : public UploadSends {
 protected:
  void SetUp() override {
    UploadSends::SetUp();
    store_.uploads["f"] = {.url = kUrl, .length = 10, .checked_sha256 = {}};
  }
};

TEST_F(UploadResumes, FromTheServersOffset) {
  ExpectHeadAt(7);
  ExpectPatch(7, "789");
  auto const receipt = Send();
  ASSERT_TRUE(receipt);
  EXPECT_TRUE(receipt->resumed);
  EXPECT_THAT(store_.uploads, IsEmpty());
}

TEST_F(UploadResumes, AndFindsItComplete) {
  store_.uploads["f"].end = UploadFacts::End::kSent;
  ExpectHeadAt(10);
  auto const receipt = Send();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->size, 10U);
}

TEST_F(UploadResumes, NotWhatSomebodyElseCompleted) {
  ExpectHeadAt(10);
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  EXPECT_TRUE(Send());
  EXPECT_THAT(restarts_, Contains(HasSubstr("before it was finished")));
}

TEST_F(UploadResumes, NotWithAnotherLength) {
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "3"}, {"Upload-Length", "11"}}));
  transport_.Next("DELETE", kUrl, TusAnswer(204));
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  auto const receipt = Send();
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->resumed);
}

TEST_F(UploadResumes, NotBeforeAForgottenUploadWasAskedForTwice) {
  ExpectHead(TusAnswer(404));
  ExpectHead(TusAnswer(404));
  ExpectOptions();
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  EXPECT_TRUE(Send());
  EXPECT_GE(waited_, std::chrono::seconds(10));
  EXPECT_THAT(restarts_, ElementsAre("the server does not know it any more"));
}

TEST_F(UploadResumes, WhatWasOnlyHiddenByADeployment) {
  ExpectHead(TusAnswer(404));
  ExpectHeadAt(4);
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89");
  EXPECT_TRUE(Send());
  EXPECT_THAT(restarts_, IsEmpty());
}

TEST_F(UploadResumes, WithoutWaitingForWhatHasExpired) {
  store_.uploads["f"].expires = std::chrono::system_clock::now() - std::chrono::hours(1);
  ExpectHead(TusAnswer(410));
  ExpectOptions();
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  EXPECT_TRUE(Send());
  EXPECT_LT(waited_, std::chrono::seconds(10));
}

TEST_F(UploadResumes, NotWhatMayHaveBeenPublished) {
  store_.uploads["f"].end = UploadFacts::End::kSent;
  ExpectHead(TusAnswer(404));
  ExpectHead(TusAnswer(404));
  ExpectOptions();
  auto const receipt = Send();
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kUnconfirmed);
  EXPECT_THAT(store_.uploads, testing::SizeIs(1)) << "another try must not publish it twice";
}

TEST_F(UploadResumes, FromTheUrlThatTheEndpointsHttpsMakesOfIt) {
  store_.uploads["f"].url = "ftp://tus/files/u1";
  auto const receipt = Send();
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(UploadResumes, OrAbandonsIt) {
  ExpectHeadAt(7);
  transport_.Next("DELETE", kUrl, TusAnswer(204));
  EXPECT_TRUE(Upload(client_, Options()).Abandon());
  EXPECT_THAT(store_.uploads, IsEmpty());
  EXPECT_TRUE(Upload(client_, Options()).Abandon()) << "nothing is there any more";
}

TEST_F(UploadResumes, AndNeverDeletesWhatIsPublished) {
  ExpectHeadAt(10);
  EXPECT_TRUE(Upload(client_, Options()).Abandon());
  EXPECT_THAT(store_.uploads, IsEmpty());
}

TEST_F(UploadResumes, StillKnowsWhatItMayNotAbandonYet) {
  ExpectHead(TusAnswer(401));
  auto const abandoned = Upload(client_, Options()).Abandon();
  ASSERT_FALSE(abandoned);
  EXPECT_EQ(abandoned.error().code, ErrorCode::kUnauthorized);
  EXPECT_THAT(store_.uploads, SizeIs(1)) << "another call, with other credentials, deletes it";
}

TEST_F(UploadResumes, AbandonsThroughTroubleAndForgetsWhatIsGone) {
  ExpectHead(OtherAnswer(502));
  ExpectHead(TusAnswer(404));
  EXPECT_TRUE(Upload(client_, Options()).Abandon());
  EXPECT_THAT(store_.uploads, IsEmpty());
}

}  // namespace
}  // namespace tus
