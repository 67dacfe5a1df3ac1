// Client: redirects, and where credentials go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"
#include "tusclient/client.h"

namespace tus {
namespace {

using testing::HasSubstr;

class ClientRedirect : public testing::Test {
 protected:
  ScriptedTransport transport_;
  Client client_{{.endpoint = "http://tus:1080/files/", .headers = {{"Authorization", "token"}}},
                 transport_};
  Client secure_{{.endpoint = "https://tus/files/", .headers = {{"Authorization", "token"}}},
                 transport_};
};

auto WithAuthorization(std::string expected, HttpResponse answer) {
  return [expected = std::move(expected), answer = std::move(answer)](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Authorization"), expected) << request.url;
    return answer;
  };
}

HttpResponse RedirectTo(std::string location, int status = 307) {
  return OtherAnswer(status, {{"Location", std::move(location)}});
}

TEST_F(ClientRedirect, CredentialsGoToTheEndpointsOwnOriginOnly) {
  auto const answer = TusAnswer(200, {{"Upload-Offset", "0"}});
  transport_.Next("HEAD", "http://tus:1080/elsewhere/1", WithAuthorization("token", answer));
  EXPECT_TRUE(client_.Head("http://TUS:1080/elsewhere/1"));
  for (auto const* const url :
       {"http://cdn:1080/1", "http://tus:1081/1", "http://tus/1", "https://tus:1080/1"}) {
    transport_.Next("HEAD", url, WithAuthorization("(none)", answer));
    EXPECT_TRUE(client_.Head(url));
  }
}

TEST_F(ClientRedirect, MethodHeadersAndBodySurvive307And308) {
  std::string const bytes = "0123456789";
  MemorySource source(std::as_bytes(std::span(bytes)));
  transport_.Next("PATCH", "http://tus:1080/files/1", RedirectTo("/new/1"));
  transport_.Next("PATCH", "http://tus:1080/new/1", RedirectTo("http://cdn/1", 308));
  transport_.Next("PATCH", "http://cdn/1", [](HttpRequest const& request) {
    EXPECT_EQ(BodyOf(request), "0123456789");
    EXPECT_EQ(HeaderOf(request, "Upload-Offset"), "0");
    EXPECT_EQ(HeaderOf(request, "Authorization"), "(none)");
    return TusAnswer(204, {{"Upload-Offset", "10"}});
  });
  PatchRequest request;
  request.url = "http://tus:1080/files/1";
  request.length = bytes.size();
  request.source = &source;
  EXPECT_EQ(client_.Patch(request)->offset, 10U);
}

TEST_F(ClientRedirect, CredentialsComeBackWithTheOrigin) {
  transport_.Next("HEAD", "http://tus:1080/1", WithAuthorization("token", RedirectTo("http://b/")));
  transport_.Next("HEAD", "http://b/",
                  WithAuthorization("(none)", RedirectTo("http://tus:1080/2")));
  transport_.Next("HEAD", "http://tus:1080/2",
                  WithAuthorization("token", TusAnswer(200, {{"Upload-Offset", "0"}})));
  EXPECT_TRUE(client_.Head("http://tus:1080/1"));
}

TEST_F(ClientRedirect, ARelativeLocationIsResolvedAgainstTheUrlThatAnswered) {
  transport_.Next("POST", "http://tus:1080/files/", RedirectTo("http://other/tus/"));
  transport_.Next("POST", "http://other/tus/", TusAnswer(201, {{"Location", "1"}}));
  EXPECT_EQ(client_.Create({})->url, "http://other/tus/1");
}

TEST_F(ClientRedirect, FiveAreFollowedAndNotASixth) {
  for (int i = 0; i < 6; ++i) {
    transport_.Next("HEAD", "http://tus:1080/" + std::to_string(i),
                    RedirectTo("/" + std::to_string(i + 1)));
  }
  auto const status = client_.Head("http://tus:1080/0");
  EXPECT_EQ(status.error().code, ErrorCode::kNotTus);
  EXPECT_EQ(status.error().http_status, 307);
}

TEST_F(ClientRedirect, HttpsIsNeverLeft) {
  transport_.Next("HEAD", "https://tus/1", RedirectTo("http://b/1"));
  EXPECT_EQ(secure_.Head("https://tus/1").error().code, ErrorCode::kNotTus);

  transport_.Next("HEAD", "https://tus/1", RedirectTo("http://tus/2"));
  transport_.Next("HEAD", "https://tus/2",
                  WithAuthorization("token", TusAnswer(200, {{"Upload-Offset", "0"}})));
  EXPECT_TRUE(secure_.Head("https://tus/1"));
}

TEST_F(ClientRedirect, AStoredHttpUrlIsUsedAsHttpsOrNotAtAll) {
  transport_.Next("HEAD", "https://tus/1", TusAnswer(200, {{"Upload-Offset", "0"}}));
  EXPECT_TRUE(secure_.Head("http://tus/1"));
  EXPECT_EQ(secure_.Head("http://b/1").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ClientRedirect, WithoutAUsableLocationIsAnError) {
  for (auto const* const location : {"", "ftp://b/", "http://user:pw@b/"}) {
    transport_.Next("HEAD", "http://tus:1080/1", RedirectTo(location));
    EXPECT_EQ(client_.Head("http://tus:1080/1").error().code, ErrorCode::kNotTus) << location;
  }
  transport_.Next("HEAD", "http://tus:1080/1", TusAnswer(308));
  EXPECT_EQ(client_.Head("http://tus:1080/1").error().code, ErrorCode::kRefused);
}

TEST_F(ClientRedirect, AMissingSlashIsAddedWhateverKindOfRedirectSaysSo) {
  for (int const status : {301, 302, 307, 308}) {
    Client client({.endpoint = "http://tus:1080/files", .headers = {{"Authorization", "token"}}},
                  transport_);
    transport_.Next("POST", "http://tus:1080/files", RedirectTo("/files/", status));
    transport_.Next("POST", "http://tus:1080/files/",
                    WithAuthorization("token", TusAnswer(201, {{"Location", "/files/1"}})));
    CreateRequest request;
    request.length = 10;
    auto const created = client.Create(request);
    ASSERT_TRUE(created) << status << ": " << created.error().message;
    EXPECT_EQ(created->url, "http://tus:1080/files/1");
  }
}

TEST_F(ClientRedirect, AnUploadAtAnotherHostThatDoesNotAnswerIsToldApartFromTheEndpoint) {
  transport_.Next("HEAD", "https://localhost/1", [](HttpRequest const&) -> Result<HttpResponse> {
    return tl::unexpected(Error{.code = ErrorCode::kUnreachable, .message = "could not connect"});
  });
  auto const status = client_.Head("https://localhost/1");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("could not connect"));
  EXPECT_THAT(status.error().message, HasSubstr("this upload is at https://localhost"));
}

TEST_F(ClientRedirect, AnUploadHostThatWantsCredentialsNamesTheOptionThatTrustsIt) {
  transport_.Next("HEAD", "http://cdn:1081/1", TusAnswer(401));
  auto const status = client_.Head("http://cdn:1081/1");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("--trust-origin http://cdn:1081"));
  transport_.Next("HEAD", "http://tus:1080/files/1", TusAnswer(401));
  EXPECT_THAT(client_.Head("http://tus:1080/files/1").error().message,
              testing::Not(HasSubstr("--trust-origin")));
}

TEST_F(ClientRedirect, OthersAreNotFollowed) {
  for (int const status : {301, 302, 303}) {
    transport_.Next("POST", "http://tus:1080/files/", RedirectTo("https://portal/", status));
    auto const portal = client_.Create({});
    EXPECT_EQ(portal.error().code, ErrorCode::kNotTus) << status;
    EXPECT_THAT(portal.error().message, HasSubstr("redirect to https://portal,"));

    transport_.Next("POST", "http://tus:1080/files/",
                    TusAnswer(status, {{"Location", "https://portal/"}}));
    EXPECT_EQ(client_.Create({}).error().code, ErrorCode::kRefused) << status;
  }
}

}  // namespace
}  // namespace tus
