// Upload: what goes wrong on the way, and sources that are still growing.
#include "upload_rig.h"

namespace tus {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class UploadInTrouble : public UploadRig {
 protected:
  void SetUp() override { Announce({.creation = true, .creation_defer_length = true}); }

  void ExpectTheRestFrom4() {
    ExpectPatch(4, "4567");
    ExpectPatch(8, "89");
  }
};

TEST_F(UploadInTrouble, AsksAfterEveryTransientFailureAndGoesOn) {
  ExpectCreation();
  std::uint64_t got = 0;
  for (auto const& answer : std::vector<Result<HttpResponse>>{
           Broken(), TusAnswer(409), TusAnswer(423), TusAnswer(500), OtherAnswer(502),
           TusAnswer(400, {}, "ERR_UPLOAD_INTERRUPTED")}) {
    ExpectPatch(got, bytes_.substr(got, 4), answer);
    ++got;
    ExpectHeadAt(got);
  }
  ExpectPatch(6, "6789");
  auto const receipt = Send();
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(retries_, SizeIs(6));
}

TEST_F(UploadInTrouble, BacksOffUntilBytesAreConfirmedAgain) {
  ExpectCreation();
  for (int i = 0; i < 4; ++i) {
    ExpectPatch(0, "0123", OtherAnswer(503));
    ExpectHeadAt(0);
  }
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567", OtherAnswer(503));
  ExpectHeadAt(4);
  ExpectTheRestFrom4();
  EXPECT_TRUE(Send());
  EXPECT_EQ(waited_, std::chrono::milliseconds(500 + 1000 + 2000 + 4000 + 500));
}

TEST_F(UploadInTrouble, GivesUpWhenNothingMovesOnForTooLong) {
  auto options = Options();
  options.give_up = std::chrono::seconds(3);
  ExpectCreation();
  ExpectPatch(0, "0123", OtherAnswer(503));
  ExpectHead(OtherAnswer(503));
  ExpectHead(OtherAnswer(503));
  auto const receipt = Send(options);
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kNotTus);
  EXPECT_THAT(store_.uploads, SizeIs(1)) << "another call goes on";
}

TEST_F(UploadInTrouble, GoesOnFromAShortAnswer) {
  ExpectCreation();
  ExpectPatch(0, "0123", At(3));
  ExpectPatch(3, "3456");
  ExpectPatch(7, "789", At(8));
  ExpectHeadAt(8);
  ExpectPatch(8, "89");
  EXPECT_TRUE(Send());
}

TEST_F(UploadInTrouble, DoesNotHammerAServerThatTakesNothing) {
  ExpectCreation();
  ExpectPatch(0, "0123", At(0));
  ExpectHeadAt(0);
  ExpectPatch(0, "0123");
  ExpectTheRestFrom4();
  EXPECT_TRUE(Send());
  EXPECT_GE(waited_, std::chrono::milliseconds(500));
}

TEST_F(UploadInTrouble, SendsAgainWhatTheServerHasLost) {
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567", Broken());
  ExpectHeadAt(2);
  ExpectPatch(2, "2345");
  ExpectPatch(6, "6789");
  EXPECT_TRUE(Send());
}

TEST_F(UploadInTrouble, RefusesAnOffsetThatWasNeverSent) {
  ExpectCreation();
  ExpectPatch(0, "0123", Broken());
  ExpectHeadAt(5);
  transport_.Next("DELETE", kUrl, TusAnswer(204));
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  EXPECT_TRUE(Send());
  EXPECT_THAT(restarts_, ElementsAre(HasSubstr("not what was sent")));
}

TEST_F(UploadInTrouble, LearnsTheChunkSizeFrom413AndKeepsIt) {
  ServerProfile large{{.size = 1 << 20}};
  large.Announced(*profile_.Info());
  std::string const many(300'000, 'x');
  MemorySource source(std::as_bytes(std::span(many)));
  auto options = Options();
  options.profile = &large;
  options.store = nullptr;
  ExpectCreation();
  ExpectPatch(0, many, OtherAnswer(413));
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "0"}, {"Upload-Length", "300000"}}));
  ExpectPatch(0, many.substr(0, 150'000));
  ExpectPatch(150'000, many.substr(0, 150'000));
  EXPECT_TRUE(Upload(client_, options).Send(source, many.size()));
  EXPECT_EQ(large.NextChunk(0), 150'000U);
  EXPECT_THAT(retries_, IsEmpty());
}

TEST_F(UploadInTrouble, EndsWhenEvenTheSmallestBodyIsTooLarge) {
  ExpectCreation();
  ExpectPatch(0, "0123", OtherAnswer(413));
  EXPECT_EQ(Send().error().code, ErrorCode::kTooLarge);
}

TEST_F(UploadInTrouble, ChecksTheServersMaximumItself) {
  Announce({.creation = true, .max_size = 9});
  auto const receipt = Send();
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(receipt.error().message, HasSubstr("at most 9 bytes"));
}

TEST_F(UploadInTrouble, SendsADamagedChunkAgainAndAsksAfterThree) {
  Announce({.creation = true, .checksum_algorithms = {"sha1"}});
  ExpectCreation();
  for (int i = 0; i < 3; ++i) ExpectPatch(0, "0123", TusAnswer(i == 1 ? 417 : 460));
  ExpectHeadAt(0);
  ExpectPatch(0, "0123");
  ExpectTheRestFrom4();
  EXPECT_TRUE(Send());
  EXPECT_THAT(retries_, SizeIs(1));
}

TEST_F(UploadInTrouble, TakesOnlyTheAnswerToAChunkForAWordAboutIt) {
  transport_.Next("POST", kEndpoint, TusAnswer(417));
  ExpectCreation();
  ExpectPatch(0, "0123", Broken());
  ExpectHead(TusAnswer(460));
  ExpectHeadAt(4);
  ExpectTheRestFrom4();
  auto const receipt = Send();
  EXPECT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(retries_, SizeIs(3));
}

TEST_F(UploadInTrouble, DoesWithoutChecksumsThatWereAnnouncedForNothing) {
  Announce({.creation = true, .checksum_algorithms = {"sha1"}});
  ExpectCreation();
  ExpectPatch(0, "0123", TusAnswer(400, {}, "unsupported checksum algorithm"));
  ExpectHeadAt(0);
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Checksum"), "(none)");
    return At(4);
  });
  ExpectTheRestFrom4();
  EXPECT_TRUE(Send());
}

TEST_F(UploadInTrouble, BelievesARefusalOfTheLastBytesForGood) {
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89", TusAnswer(422, {}, "no such project"));
  auto const receipt = Send();
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("no such project"));
  EXPECT_THAT(store_.uploads, IsEmpty()) << "else a HEAD would call it complete later";
}

TEST_F(UploadInTrouble, TakesTheServersWordWhenTheLastAnswerIsLost) {
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89", Broken());
  ExpectHeadAt(10);
  auto const receipt = Send();
  ASSERT_TRUE(receipt);
  EXPECT_THAT(receipt->headers, IsEmpty());
}

TEST_F(UploadInTrouble, SaysWhenCompletionIsUnknown) {
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567");
  ExpectPatch(8, "89", Broken());
  ExpectHead(TusAnswer(404));
  ExpectHead(TusAnswer(404));
  ExpectOptions();
  EXPECT_EQ(Send().error().code, ErrorCode::kUnconfirmed);
}

TEST_F(UploadInTrouble, LeavesAnUploadThatStaysLocked) {
  ExpectCreation();
  ExpectPatch(0, "0123", TusAnswer(500, {}, "ERR_LOCK_TIMEOUT: failed to acquire lock"));
  // HEAD has no body to say so; the PATCH after it does.
  for (int i = 1; i < 10; ++i) {
    ExpectHead(TusAnswer(500, {}, "ERR_LOCK_TIMEOUT: failed to acquire lock"));
  }
  transport_.Next("DELETE", kUrl, TusAnswer(500));
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4567", kSecondUrl);
  ExpectPatch(8, "89", kSecondUrl);
  EXPECT_TRUE(Send());
  EXPECT_THAT(restarts_, ElementsAre(HasSubstr("locked")));
}

TEST_F(UploadInTrouble, EndsWithoutCredentialsUnlessToldToWaitForThem) {
  ExpectCreation();
  ExpectPatch(0, "0123", TusAnswer(401));
  EXPECT_EQ(Send().error().code, ErrorCode::kUnauthorized);
  auto options = Options();
  options.wait_for_credentials = true;
  ExpectHead(TusAnswer(403));
  ExpectHeadAt(0);
  ExpectPatch(0, "0123");
  ExpectTheRestFrom4();
  EXPECT_TRUE(Send(options));
  EXPECT_GE(waited_, std::chrono::seconds(10));
}

TEST_F(UploadInTrouble, IsCancelledWhileItWaits) {
  std::stop_source stop;
  auto options = Options();
  options.wait = [&](std::chrono::milliseconds, std::stop_token const&) { stop.request_stop(); };
  ExpectCreation();
  ExpectPatch(0, "0123", OtherAnswer(503));
  auto const receipt = Upload(client_, options).Send(source_, bytes_.size(), stop.get_token());
  EXPECT_EQ(receipt.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(store_.uploads, SizeIs(1));
}

TEST_F(UploadInTrouble, NeverLoopsOverAServerThatTakesBackWhatItHad) {
  auto options = Options();
  options.give_up = std::chrono::minutes(5);
  class Fickle : public HttpTransport {
   public:
    Result<HttpResponse> Perform(HttpRequest const& request) override {
      if (++requests > 1000) return tl::unexpected(Error{.code = ErrorCode::kCancelled});
      if (request.method == "POST") return TusAnswer(201, {{"Location", "1"}});
      if (request.method == "HEAD") return TusAnswer(200, {{"Upload-Offset", "0"}});
      return At(std::min<std::uint64_t>(request.body_offset + request.body_length, 9));
    }
    int requests = 0;
  } fickle;
  Client client({.endpoint = kEndpoint}, fickle);
  auto const receipt = Upload(client, options).Send(source_, bytes_.size());
  EXPECT_EQ(receipt.error().code, ErrorCode::kTransient);
  EXPECT_LT(fickle.requests, 200);
}

TEST_F(UploadInTrouble, NeverLoopsOverAServerThatAlwaysForgets) {
  auto options = Options();
  options.give_up = std::chrono::minutes(5);
  int posts = 0;
  class Forgetful : public HttpTransport {
   public:
    explicit Forgetful(int& posts) : posts_(posts) {}
    Result<HttpResponse> Perform(HttpRequest const& request) override {
      if (request.method == "POST") {
        return TusAnswer(201, {{"Location", "/files/" + std::to_string(++posts_)}});
      }
      if (request.method == "OPTIONS") return TusAnswer(204);
      return TusAnswer(404);
    }

   private:
    int& posts_;
  } forgetful(posts);
  Client client({.endpoint = kEndpoint}, forgetful);
  auto const receipt = Upload(client, options).Send(source_, bytes_.size());
  EXPECT_EQ(receipt.error().code, ErrorCode::kGone);
  EXPECT_GT(posts, 1);
  EXPECT_LT(posts, 30);
}

TEST_F(UploadInTrouble, BelievesAServerThatOptionsDoesNotTellThatItHasForgotten) {
  int posts = 0;
  class Silent : public HttpTransport {
   public:
    explicit Silent(int& posts) : posts_(posts) {}
    Result<HttpResponse> Perform(HttpRequest const& request) override {
      if (request.method == "OPTIONS") return OtherAnswer(200);
      if (request.method == "POST") {
        return TusAnswer(201, {{"Location", "/files/" + std::to_string(++posts_)}});
      }
      if (posts_ == 1) return OtherAnswer(404);  // without Tus-Resumable, too
      auto const end = std::stoull(HeaderOf(request, "Upload-Offset")) + request.body_length;
      return TusAnswer(204, {{"Upload-Offset", std::to_string(end)}});
    }

   private:
    int& posts_;
  } silent(posts);
  Client client({.endpoint = kEndpoint}, silent);
  auto options = Options();
  options.give_up = std::chrono::minutes(5);
  ServerProfile profile{SmallChunks()};
  options.profile = &profile;
  auto const receipt = Upload(client, options).Send(source_, bytes_.size());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(posts, 2);
}

TEST_F(UploadInTrouble, AsksByCreatingWhereOptionsIsForbidden) {
  for (int const status : {401, 403}) {
    ServerProfile profile{SmallChunks()};
    auto options = Options();
    options.profile = &profile;
    transport_.Next("OPTIONS", kEndpoint, OtherAnswer(status));
    ExpectCreation();
    ExpectPatch(0, "0123");
    ExpectTheRestFrom4();
    auto const receipt = Upload(client_, options).Send(source_, bytes_.size());
    EXPECT_TRUE(receipt) << status << ": " << receipt.error().message;
  }
}

TEST_F(UploadInTrouble, ANameThatStaysTakenIsARefusal) {
  for (int const status : {409, 423}) {
    for (int i = 0; i < 5; ++i) {
      transport_.Next("POST", kEndpoint, TusAnswer(status, {}, "The resource already exists"));
    }
    auto const receipt = Send();
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
    EXPECT_THAT(receipt.error().message, HasSubstr("already exists"));
  }
}

// ---- made elsewhere

class UploadMadeElsewhere : public UploadInTrouble {
 protected:
  UploadOptions Options(std::string const& fingerprint = "f") {
    auto options = UploadRig::Options();
    options.fingerprint = fingerprint;
    options.upload_url = kUrl;
    return options;
  }
  /// The first 4 bytes arrive, and the process is killed.
  void Begin() {
    auto options = Options();
    std::stop_source stop;
    options.on_confirmed = [&](std::uint64_t offset) {
      if (offset == 4) stop.request_stop();
    };
    ExpectHeadAt(0);
    ExpectPatch(0, "0123");
    ASSERT_FALSE(Upload(client_, options).Send(source_, bytes_.size(), stop.get_token()));
  }
};

TEST_F(UploadMadeElsewhere, IsFilledAndGoneOnWith) {
  Begin();
  ExpectHeadAt(4);
  ExpectTheRestFrom4();
  auto const receipt = Upload(client_, Options()).Send(source_, bytes_.size());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->url, kUrl);
  EXPECT_THAT(store_.uploads, IsEmpty());
}

TEST_F(UploadMadeElsewhere, IsNoMixtureOfTwoFiles) {
  Begin();
  auto const receipt = Upload(client_, Options("changed")).Send(source_, bytes_.size());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("another file"));
}

TEST_F(UploadMadeElsewhere, WhatSomebodyElseHasSentToItIsNotThisFile) {
  for (std::uint64_t const offset : {std::uint64_t{4}, std::uint64_t{10}}) {
    ExpectHeadAt(offset);
    auto const receipt = Upload(client_, Options()).Send(source_, bytes_.size());
    ASSERT_FALSE(receipt) << offset;
    EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  }
}

TEST_F(UploadMadeElsewhere, IsNeverMadeAnewNorDeleted) {
  auto options = Options();
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "0"}, {"Upload-Length", "11"}}));
  auto const receipt = Upload(client_, options).Send(source_, bytes_.size());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("made elsewhere"));
}

// ---- growing sources

using UploadGrows = UploadInTrouble;

TEST_F(UploadGrows, HoldsTheLastByteBackUntilTheLengthIsKnown) {
  ScriptedPipe pipe("01234567");
  transport_.Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Defer-Length"), "1");
    return TusAnswer(201, {{"Location", kUrl}});
  });
  ExpectPatch(0, "0123");
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "8");
    EXPECT_EQ(BodyOf(request), "4567");
    EXPECT_NE(HeaderOf(request, "Repr-Digest"), "(none)");
    return At(8);
  });
  auto const receipt = SendPipe(pipe);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->size, 8U);
  EXPECT_EQ(pipe.released(), 8U);
}

TEST_F(UploadGrows, DeclaresTheLengthAtOnceWhereTheEndIsInSight) {
  ScriptedPipe pipe("012");
  transport_.Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "3");
    return TusAnswer(201, {{"Location", kUrl}});
  });
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "(none)") << "it is declared once";
    return At(3);
  });
  EXPECT_TRUE(SendPipe(pipe));
  ScriptedPipe empty("");
  ExpectCreation();
  EXPECT_TRUE(SendPipe(empty));
}

TEST_F(UploadGrows, OnlyWhereTheServerTakesUnknownLengths) {
  Announce({.creation = true});
  ScriptedPipe pipe("0123456789");
  auto const receipt = SendPipe(pipe);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("size is not known"));
}

TEST_F(UploadGrows, LearnsWhereNoBytesOfUnknownLengthAreTaken) {
  ScriptedPipe pipe("0123456789");
  ExpectCreation();
  ExpectPatch(0, "0123", TusAnswer(400, {}, "Upload-Length is missing"));
  transport_.Next("DELETE", kUrl, TusAnswer(204));
  auto const receipt = SendPipe(pipe);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("size is not known"));
}

TEST_F(UploadGrows, ComparesWhatIsFedAgainBeforeItGoesOn) {
  std::string const before = "01234";
  store_.uploads["f"] = {.url = kUrl,
                         .length = {},
                         .checked_length = 5,
                         .checked_sha256 = ScriptedPipe::Sha256Of(before)};
  ScriptedPipe pipe("0123456789");
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "2"}, {"Upload-Defer-Length", "1"}}));
  ExpectPatch(2, "2345");
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "10");
    EXPECT_EQ(BodyOf(request), "6789");
    return At(10);
  });
  auto const receipt = SendPipe(pipe);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(receipt->resumed);
}

TEST_F(UploadGrows, BeginsAgainWhereTheServerCompletedOnlyTheBeginning) {
  store_.uploads["f"] = {.url = kUrl,
                         .end = UploadFacts::End::kSent,
                         .checked_length = 5,
                         .checked_sha256 = ScriptedPipe::Sha256Of("01234")};
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "3"}, {"Upload-Length", "3"}}));
  ExpectCreation(kSecondUrl);
  ExpectPatch(0, "0123", kSecondUrl);
  ExpectPatch(4, "4", kSecondUrl);
  ScriptedPipe pipe("01234");
  auto const receipt = SendPipe(pipe);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->size, 5U);
}

TEST_F(UploadGrows, DoesNotMixBytesOfTwoPipes) {
  store_.uploads["f"] = {.url = kUrl,
                         .length = {},
                         .checked_length = 5,
                         .checked_sha256 = ScriptedPipe::Sha256Of("01234")};
  ScriptedPipe pipe("x123456789");
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "2"}, {"Upload-Defer-Length", "1"}}));
  auto const receipt = SendPipe(pipe);
  EXPECT_EQ(receipt.error().code, ErrorCode::kSource);
  EXPECT_THAT(store_.uploads, IsEmpty()) << "the next one begins anew";
}

TEST_F(UploadGrows, RemembersWhatIsHandedOverBeforeItGoesOut) {
  ScriptedPipe pipe("0123456789");
  ExpectCreation();
  transport_.Next("PATCH", kUrl, [&](HttpRequest const&) {
    EXPECT_GE(store_.uploads["f"].checked_length, 4U);
    EXPECT_EQ(store_.uploads["f"].end, UploadFacts::End::kNotSent);
    return At(4);
  });
  transport_.Next("PATCH", kUrl, [&](HttpRequest const&) { return At(8); });
  transport_.Next("PATCH", kUrl, [&](HttpRequest const&) {
    EXPECT_EQ(store_.uploads["f"].end, UploadFacts::End::kSent);
    return At(10);
  });
  EXPECT_TRUE(SendPipe(pipe));
}

TEST_F(UploadGrows, SaysWhatItCannotSendAgain) {
  ScriptedPipe pipe("0123456789");
  ExpectCreation();
  ExpectPatch(0, "0123");
  ExpectPatch(4, "4567", Broken());
  ExpectHead(TusAnswer(200, {{"Upload-Offset", "2"}, {"Upload-Defer-Length", "1"}}));
  auto const receipt = SendPipe(pipe);
  EXPECT_EQ(receipt.error().code, ErrorCode::kSource);
  EXPECT_THAT(receipt.error().message, HasSubstr("cannot be read again"));
}

}  // namespace
}  // namespace tus
