// Client: HEAD, PATCH and termination of one upload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"
#include "tusclient/client.h"

namespace tus {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto kUrl = "http://tus:1080/files/24e533e02ec3bc40";

class ClientUpload : public testing::Test {
 protected:
  ScriptedTransport transport_;
  Client client_{
      {.endpoint = "http://tus:1080/files/", .headers = {{"Authorization", "Bearer s3cr3t-token"}}},
      transport_};
  std::string const bytes_ = "0123456789";
  MemorySource source_{std::as_bytes(std::span(bytes_))};

  Result<UploadStatus> HeadAnd(HttpResponse answer) {
    transport_.Next("HEAD", kUrl, std::move(answer));
    return client_.Head(kUrl);
  }

  PatchRequest BytesFrom2To7() {
    PatchRequest request;
    request.url = kUrl;
    request.offset = 2;
    request.length = 5;
    request.source = &source_;
    return request;
  }

  Result<Patched> PatchAnd(HttpResponse answer) {
    transport_.Next("PATCH", kUrl, std::move(answer));
    return client_.Patch(BytesFrom2To7());
  }
};

TEST_F(ClientUpload, HeadReadsOffsetAndLength) {
  transport_.Next("HEAD", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Tus-Resumable"), "1.0.0");
    EXPECT_EQ(HeaderOf(request, "Authorization"), "Bearer s3cr3t-token");
    return TusAnswer(200, {{"Upload-Offset", "7"}, {"Upload-Length", "10"}});
  });
  auto const status = client_.Head(kUrl);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->offset, 7U);
  EXPECT_EQ(status->length, 10U);
  EXPECT_FALSE(status->Complete());
}

TEST_F(ClientUpload, HeadHasNoLengthWhileItIsDeferred) {
  EXPECT_EQ(HeadAnd(TusAnswer(200, {{"Upload-Offset", "7"}, {"Upload-Defer-Length", "1"}}))->length,
            std::nullopt);
  EXPECT_EQ(HeadAnd(TusAnswer(204, {{"Upload-Offset", "7"}}))->length, std::nullopt);
}

TEST_F(ClientUpload, HeadOfACompleteUploadIsComplete) {
  EXPECT_TRUE(
      HeadAnd(TusAnswer(200, {{"Upload-Offset", "0"}, {"Upload-Length", "0"}}))->Complete());
}

TEST_F(ClientUpload, MayExpireLaterThanTheClockCanCount) {
  auto const status = HeadAnd(TusAnswer(
      200, {{"Upload-Offset", "7"}, {"Upload-Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}}));
  ASSERT_TRUE(status && status->expires);
  EXPECT_GT(*status->expires, std::chrono::system_clock::now());
}

TEST_F(ClientUpload, HeadRefusesNumbersThatCannotBeRight) {
  for (auto const& headers : std::vector<std::vector<Header>>{
           {{"Upload-Length", "10"}},
           {{"Upload-Offset", ""}, {"Upload-Length", "10"}},
           {{"Upload-Offset", "-1"}, {"Upload-Length", "10"}},
           {{"Upload-Offset", "1x"}, {"Upload-Length", "10"}},
           {{"Upload-Offset", "1, 1"}, {"Upload-Length", "10"}},
           {{"Upload-Offset", "1"}, {"Upload-Length", "99999999999999999999"}},
           {{"Upload-Offset", "11"}, {"Upload-Length", "10"}}}) {
    auto const status = HeadAnd(TusAnswer(200, headers));
    ASSERT_FALSE(status) << headers.front().value;
    EXPECT_EQ(status.error().code, ErrorCode::kProtocol);
  }
}

TEST_F(ClientUpload, HeadTellsGoneFromAnOutage) {
  EXPECT_EQ(HeadAnd(TusAnswer(404)).error().code, ErrorCode::kGone);
  EXPECT_EQ(HeadAnd(TusAnswer(410)).error().code, ErrorCode::kGone);
  EXPECT_EQ(HeadAnd(OtherAnswer(404)).error().code, ErrorCode::kNotTus);
}

TEST_F(ClientUpload, PatchSendsExactlyItsBytes) {
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Tus-Resumable"), "1.0.0");
    EXPECT_EQ(HeaderOf(request, "Content-Type"), "application/offset+octet-stream");
    EXPECT_EQ(HeaderOf(request, "Upload-Offset"), "2");
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "(none)");
    EXPECT_EQ(BodyOf(request), "23456");
    return TusAnswer(204, {{"Upload-Offset", "7"}, {"X-Receipt", "r"}}, "done");
  });
  auto const patched = client_.Patch(BytesFrom2To7());
  ASSERT_TRUE(patched);
  EXPECT_EQ(patched->offset, 7U);
  EXPECT_EQ(patched->body, "done");
  EXPECT_EQ((HttpResponse{0, patched->headers, {}}.Find("x-receipt")), "r");
}

TEST_F(ClientUpload, PatchDeclaresTheLengthWithTheFinalBytes) {
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "7");
    return TusAnswer(200, {{"Upload-Offset", "7"}});
  });
  auto request = BytesFrom2To7();
  request.declare_length = 7;
  EXPECT_TRUE(client_.Patch(request));
}

TEST_F(ClientUpload, PatchDeclaresALengthWithoutBytes) {
  transport_.Next("PATCH", kUrl, [](HttpRequest const& request) {
    EXPECT_EQ(request.body, nullptr);
    EXPECT_EQ(request.body_length, 0U);
    EXPECT_EQ(HeaderOf(request, "Upload-Offset"), "7");
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "9");
    return TusAnswer(204, {{"Upload-Offset", "7"}});
  });
  PatchRequest request;
  request.url = kUrl;
  request.offset = 7;
  request.declare_length = 9;
  EXPECT_EQ(client_.Patch(request)->offset, 7U);
}

TEST_F(ClientUpload, PatchTakesAShortOffsetForTheTruth) {
  EXPECT_EQ(PatchAnd(TusAnswer(204, {{"Upload-Offset", "2"}}))->offset, 2U);
  EXPECT_EQ(PatchAnd(TusAnswer(204, {{"Upload-Offset", "4"}}))->offset, 4U);
}

TEST_F(ClientUpload, PatchRefusesOffsetsThatCannotBeRight) {
  for (auto const* const offset : {"1", "8", "x", "", "7 ", "18446744073709551623"}) {
    auto const patched = PatchAnd(TusAnswer(204, {{"Upload-Offset", offset}}));
    ASSERT_FALSE(patched) << offset;
    EXPECT_EQ(patched.error().code, ErrorCode::kProtocol) << offset;
  }
  EXPECT_EQ(PatchAnd(TusAnswer(204)).error().code, ErrorCode::kProtocol);
  EXPECT_EQ(PatchAnd(TusAnswer(200)).error().code, ErrorCode::kProtocol);
}

TEST_F(ClientUpload, PatchErrorsAreClassified) {
  EXPECT_EQ(PatchAnd(TusAnswer(409, {}, "ERR_MISMATCHED_OFFSET")).error().code,
            ErrorCode::kTransient);
  EXPECT_EQ(PatchAnd(TusAnswer(400, {}, "ERR_UPLOAD_INTERRUPTED")).error().code,
            ErrorCode::kTransient);
  EXPECT_EQ(PatchAnd(OtherAnswer(413)).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(PatchAnd(OtherAnswer(204, {{"Upload-Offset", "7"}})).error().code, ErrorCode::kNotTus);
}

TEST_F(ClientUpload, PatchIsCheckedBeforeItIsSent) {
  auto no_source = BytesFrom2To7();
  no_source.source = nullptr;
  auto too_far = BytesFrom2To7();
  too_far.offset = UINT64_MAX - 1;
  auto above_declared = BytesFrom2To7();
  above_declared.declare_length = 6;
  auto no_url = BytesFrom2To7();
  no_url.url = "ftp://tus/1";
  for (auto const* const request : {&no_source, &too_far, &above_declared, &no_url}) {
    auto const patched = client_.Patch(*request);
    ASSERT_FALSE(patched);
    EXPECT_EQ(patched.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(patched.error().message.empty());
  }
}

TEST_F(ClientUpload, MessagesRepeatNeitherUrlNorCredentials) {
  auto const body = "cannot patch http://tus:1080/files/24e533e02ec3bc40 with s3cr3t-token";
  auto const message = PatchAnd(TusAnswer(500, {}, body)).error().message;
  EXPECT_THAT(message, HasSubstr("http://tus:1080 answered 500: cannot patch"));
  EXPECT_THAT(message, Not(HasSubstr("24e533")));
  EXPECT_THAT(message, Not(HasSubstr("s3cr3t")));
}

TEST_F(ClientUpload, TerminateTakesGoneForDone) {
  for (int const status : {200, 204, 404, 410}) {
    transport_.Next("DELETE", kUrl, TusAnswer(status));
    EXPECT_TRUE(client_.Terminate(kUrl)) << status;
  }
}

TEST_F(ClientUpload, TerminateDoesNotBelieveAProxy) {
  transport_.Next("DELETE", kUrl, OtherAnswer(404));
  EXPECT_EQ(client_.Terminate(kUrl).error().code, ErrorCode::kNotTus);
  transport_.Next("DELETE", kUrl, TusAnswer(423));
  EXPECT_EQ(client_.Terminate(kUrl).error().code, ErrorCode::kLocked);
}

TEST_F(ClientUpload, TheStopTokenReachesTheTransport) {
  std::stop_source stop;
  stop.request_stop();
  transport_.Next("HEAD", kUrl, [](HttpRequest const& request) {
    EXPECT_TRUE(request.stop.stop_requested());
    return TusAnswer(200, {{"Upload-Offset", "0"}});
  });
  EXPECT_TRUE(client_.Head(kUrl, stop.get_token()));
}

}  // namespace
}  // namespace tus
