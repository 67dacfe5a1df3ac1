#include "classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"

namespace tus {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

Question AboutUpload() {
  return {.method = "PATCH", .origin = "http://h:1080", .about_upload = true, .secrets = {}};
}

Question AboutEndpoint(std::string_view method) {
  return {.method = method, .origin = "http://h:1080", .about_upload = false, .secrets = {}};
}

struct Row {
  int status;
  ErrorCode code;
  char const* body = "";
};

void PrintTo(Row const& row, std::ostream* out) { *out << row.status << " " << row.body; }

class TusAnswers : public testing::TestWithParam<Row> {};

TEST_P(TusAnswers, MeanWhatTheTableSays) {
  auto const error = Classify(TusAnswer(GetParam().status, {}, GetParam().body), AboutUpload());
  ASSERT_TRUE(error);
  EXPECT_EQ(Name(error->code), Name(GetParam().code));
  EXPECT_EQ(error->http_status, GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TusAnswers,
    testing::Values(Row{300, ErrorCode::kRefused}, Row{301, ErrorCode::kRefused},
                    Row{302, ErrorCode::kRefused}, Row{303, ErrorCode::kRefused},
                    Row{307, ErrorCode::kRefused}, Row{308, ErrorCode::kRefused},
                    Row{400, ErrorCode::kRefused},
                    Row{400, ErrorCode::kTransient, "ERR_UPLOAD_INTERRUPTED: upload has been …"},
                    Row{400, ErrorCode::kTransient, "\nERR_UNEXPECTED_EOF: server expected …"},
                    Row{401, ErrorCode::kUnauthorized}, Row{403, ErrorCode::kUnauthorized},
                    Row{404, ErrorCode::kGone}, Row{405, ErrorCode::kRefused},
                    Row{407, ErrorCode::kUnauthorized}, Row{408, ErrorCode::kTransient},
                    Row{409, ErrorCode::kTransient}, Row{410, ErrorCode::kGone},
                    Row{412, ErrorCode::kRefused}, Row{413, ErrorCode::kTooLarge},
                    Row{415, ErrorCode::kRefused}, Row{417, ErrorCode::kChecksumMismatch},
                    Row{422, ErrorCode::kRefused}, Row{423, ErrorCode::kLocked},
                    Row{425, ErrorCode::kTransient}, Row{429, ErrorCode::kTransient},
                    Row{460, ErrorCode::kChecksumMismatch}, Row{499, ErrorCode::kRefused},
                    Row{500, ErrorCode::kTransient}, Row{502, ErrorCode::kTransient},
                    Row{503, ErrorCode::kTransient}, Row{507, ErrorCode::kTransient},
                    Row{600, ErrorCode::kProtocol}, Row{0, ErrorCode::kProtocol}));

class OtherAnswers : public testing::TestWithParam<Row> {};

TEST_P(OtherAnswers, MeanWhatTheTableSays) {
  auto const error = Classify(OtherAnswer(GetParam().status, {}, GetParam().body), AboutUpload());
  ASSERT_TRUE(error);
  EXPECT_EQ(Name(error->code), Name(GetParam().code));
  EXPECT_EQ(error->http_status, GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OtherAnswers,
    testing::Values(Row{200, ErrorCode::kNotTus}, Row{201, ErrorCode::kNotTus},
                    Row{204, ErrorCode::kNotTus}, Row{302, ErrorCode::kNotTus},
                    Row{303, ErrorCode::kNotTus}, Row{308, ErrorCode::kNotTus},
                    Row{400, ErrorCode::kNotTus, "ERR_UPLOAD_INTERRUPTED"},
                    Row{401, ErrorCode::kUnauthorized}, Row{403, ErrorCode::kUnauthorized},
                    Row{404, ErrorCode::kNotTus}, Row{407, ErrorCode::kUnauthorized},
                    Row{409, ErrorCode::kNotTus}, Row{410, ErrorCode::kNotTus},
                    Row{413, ErrorCode::kTooLarge}, Row{429, ErrorCode::kNotTus},
                    Row{500, ErrorCode::kNotTus}, Row{502, ErrorCode::kNotTus}));

TEST(Classify, TakesAny2xxOfATusServer) {
  for (int const status : {200, 201, 204, 206, 299}) {
    EXPECT_FALSE(Classify(TusAnswer(status), AboutUpload())) << status;
  }
}

TEST(Classify, TakesTusVersionForATusServerInOptionsOnly) {
  auto const answer = OtherAnswer(204, {{"Tus-Version", "1.0.0"}});
  EXPECT_FALSE(Classify(answer, AboutEndpoint("OPTIONS")));
  EXPECT_EQ(Classify(answer, AboutEndpoint("POST"))->code, ErrorCode::kNotTus);
}

TEST(Classify, LenientlyWhoeverShowsNoPageIsATusServer) {
  Question question;
  question.method = "PATCH";
  question.about_upload = true;
  question.lenient = true;
  EXPECT_FALSE(Classify(OtherAnswer(204), question));
  EXPECT_EQ(Classify(OtherAnswer(404), question)->code, ErrorCode::kGone);
  EXPECT_EQ(Classify(OtherAnswer(409), question)->code, ErrorCode::kTransient);
  auto const moved = OtherAnswer(302, {{"Location", "https://portal.example/"}});
  EXPECT_EQ(Classify(moved, question)->code, ErrorCode::kNotTus);
  auto portal = OtherAnswer(200, {{"Content-Type", "text/html"}});
  EXPECT_EQ(Classify(portal, question)->code, ErrorCode::kNotTus);
}

TEST(Classify, A404OfTheEndpointIsPermanent) {
  EXPECT_EQ(Classify(TusAnswer(404), AboutEndpoint("POST"))->code, ErrorCode::kRefused);
  EXPECT_EQ(Classify(TusAnswer(410), AboutEndpoint("OPTIONS"))->code, ErrorCode::kRefused);
}

std::optional<seconds> RetryAfter(std::string value) {
  return Classify(TusAnswer(503, {{"Retry-After", std::move(value)}}), AboutUpload())->retry_after;
}

TEST(Classify, ReadsRetryAfterInSecondsUpToADay) {
  EXPECT_EQ(RetryAfter("0"), seconds(0));
  EXPECT_EQ(RetryAfter("120"), seconds(120));
  EXPECT_EQ(RetryAfter("999999999"), hours(24));
}

TEST(Classify, IgnoresRetryAfterOfAnotherForm) {
  EXPECT_EQ(RetryAfter("Wed, 21 Oct 2026 07:28:00 GMT"), std::nullopt);
  EXPECT_EQ(RetryAfter("-1"), std::nullopt);
  EXPECT_EQ(RetryAfter("1.5"), std::nullopt);
  EXPECT_EQ(RetryAfter("99999999999999999999999"), std::nullopt);
}

TEST(Classify, ReadsRetryAfterOfAProxyToo) {
  EXPECT_EQ(Classify(OtherAnswer(503, {{"Retry-After", "7"}}), AboutUpload())->retry_after,
            seconds(7));
}

TEST(ClassifyMessage, HasTheServersFirstLineAndStatus) {
  auto const error =
      Classify(TusAnswer(422, {}, "the hook \x1b[1msaid no\nstack trace"), AboutUpload());
  EXPECT_EQ(error->message, "http://h:1080 answered 422: the hook [1msaid no");
}

TEST(ClassifyMessage, QuotesAtMost200Bytes) {
  auto const error = Classify(TusAnswer(422, {}, std::string(5000, 'x')), AboutUpload());
  EXPECT_EQ(error->message, "http://h:1080 answered 422: " + std::string(200, 'x'));
}

TEST(ClassifyMessage, NamesThePageThatCameInsteadOfATusServer) {
  auto const page = "<!DOCTYPE html>\n<html><head><TITLE>\n Hotel\x07 Login </TITLE></head></html>";
  EXPECT_EQ(
      Classify(OtherAnswer(200, {{"Content-Type", "text/html"}}, page), AboutUpload())->message,
      "http://h:1080 answered 200 with an HTML page titled \"Hotel Login\", "
      "not as a tus server");
  EXPECT_EQ(Classify(OtherAnswer(502, {}, "<html><body>oops"), AboutUpload())->message,
            "http://h:1080 answered 502 with an HTML page, not as a tus server");
}

TEST(ClassifyMessage, SaysWhatElseCame) {
  EXPECT_EQ(Classify(OtherAnswer(200, {}, "Welcome to tusd\n======"), AboutUpload())->message,
            "http://h:1080 answered 200 with \"Welcome to tusd\", not as a tus server");
  EXPECT_EQ(Classify(OtherAnswer(404), AboutUpload())->message,
            "http://h:1080 answered 404, not as a tus server");
}

TEST(ClassifyMessage, NamesOnlyTheOriginOfARedirect) {
  auto const answer = OtherAnswer(302, {{"Location", "https://portal.example/login?token=abcdef"}});
  EXPECT_EQ(Classify(answer, AboutUpload())->message,
            "http://h:1080 answered 302 with a redirect to https://portal.example, "
            "not as a tus server");
}

TEST(ClassifyMessage, DoesNotRepeatSecretsThatAreAHostsName) {
  auto question = AboutUpload();
  question.origin = "http://24e533e02ec3bc40.example";
  question.secrets = {"24e533e02ec3bc40"};
  auto const answer = OtherAnswer(302, {{"Location", "https://24e533e02ec3bc40.portal/"}});
  EXPECT_EQ(Classify(answer, question)->message,
            "http://….example answered 302 with a redirect to https://….portal, "
            "not as a tus server");
}

TEST(ClassifyMessage, NamesTheProxyThatFoundTheRequestTooLarge) {
  auto const answer = OtherAnswer(413, {{"Server", "nginx/1.22.1"}});
  EXPECT_THAT(Classify(answer, AboutUpload())->message, HasSubstr("nginx/1.22.1"));
}

TEST(ClassifyMessage, DoesNotRepeatSecrets) {
  auto question = AboutUpload();
  question.secrets = {"24e533e02ec3bc40", "s3cr3t-token", ""};
  auto const body = std::string(190, 'x') + " /files/24e533e02ec3bc40 s3cr3t-token";
  for (auto const& answer :
       {TusAnswer(500, {}, body), TusAnswer(500, {}, body.substr(100)),
        OtherAnswer(404, {}, "<html><title>/24e533e02ec3bc40 s3cr3t-token</title>")}) {
    auto const message = Classify(answer, question)->message;
    EXPECT_THAT(message, Not(HasSubstr("24e533")));
    EXPECT_THAT(message, Not(HasSubstr("s3cr3t")));
  }
}

}  // namespace
}  // namespace tus
