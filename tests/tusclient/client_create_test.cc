// Client: OPTIONS and creation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"
#include "tusclient/client.h"

namespace tus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ClientCreate : public testing::Test {
 protected:
  ScriptedTransport transport_;
  Client client_{{.endpoint = "http://tus:1080/files/", .headers = {{"X-Key", "k3y-value"}}},
                 transport_};

  Result<Created> CreateAnd(HttpResponse answer) {
    transport_.Next("POST", "http://tus:1080/files/", std::move(answer));
    return client_.Create({.length = 10, .metadata = {}, .stop = {}});
  }
};

TEST_F(ClientCreate, OptionsReadsWhatTheServerAnnounces) {
  transport_.Next("OPTIONS", "http://tus:1080/files/", [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Tus-Resumable"), "(none)");
    EXPECT_EQ(HeaderOf(request, "X-Key"), "k3y-value");
    return TusAnswer(204, {{"Tus-Version", "1.0.0,0.2.2"},
                           {"Tus-Extension", "creation,creation-defer-length, termination"},
                           {"Tus-Checksum-Algorithm", "md5, sha1"},
                           {"Tus-Max-Size", "1073741824"}});
  });
  auto const info = client_.Options();
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->creation);
  EXPECT_TRUE(info->creation_defer_length);
  EXPECT_TRUE(info->termination);
  EXPECT_FALSE(info->creation_with_upload);
  EXPECT_FALSE(info->concatenation);
  EXPECT_FALSE(info->expiration);
  EXPECT_THAT(info->checksum_algorithms, ElementsAre("md5", "sha1"));
  EXPECT_EQ(info->max_size, 1073741824U);
}

TEST_F(ClientCreate, OptionsAcceptsTusVersionAlone) {
  transport_.Next("OPTIONS", "http://tus:1080/files/",
                  OtherAnswer(200, {{"Tus-Version", "1.0.0"}, {"Tus-Max-Size", "0"}}));
  auto const info = client_.Options();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->max_size, std::nullopt);
  EXPECT_THAT(info->checksum_algorithms, IsEmpty());
}

TEST_F(ClientCreate, OptionsOfALoginPageIsNotTus) {
  transport_.Next("OPTIONS", "http://tus:1080/files/", OtherAnswer(200, {}, "<html>"));
  EXPECT_EQ(client_.Options().error().code, ErrorCode::kNotTus);
}

TEST_F(ClientCreate, OptionsRefusesAnAbsurdMaximum) {
  transport_.Next("OPTIONS", "http://tus:1080/files/", TusAnswer(204, {{"Tus-Max-Size", "lots"}}));
  EXPECT_EQ(client_.Options().error().code, ErrorCode::kProtocol);
}

TEST_F(ClientCreate, SendsLengthAndMetadata) {
  transport_.Next("POST", "http://tus:1080/files/", [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Tus-Resumable"), "1.0.0");
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "10");
    EXPECT_EQ(HeaderOf(request, "Upload-Defer-Length"), "(none)");
    EXPECT_EQ(HeaderOf(request, "Upload-Metadata"), "filename YQ==");
    EXPECT_EQ(HeaderOf(request, "X-Key"), "k3y-value");
    EXPECT_EQ(request.body_length, 0U);
    return TusAnswer(201, {{"Location", "http://tus:1080/files/1"},
                           {"Upload-Expires", "Sun, 22 Nov 2026 10:00:00 GMT"}});
  });
  auto const created = client_.Create({.length = 10, .metadata = {{"filename", "a"}}, .stop = {}});
  ASSERT_TRUE(created);
  EXPECT_EQ(created->url, "http://tus:1080/files/1");
  EXPECT_EQ(created->offset, 0U);
  EXPECT_EQ(created->expires, std::chrono::system_clock::from_time_t(1795341600));
}

TEST_F(ClientCreate, DefersAnUnknownLengthAndOmitsEmptyMetadata) {
  transport_.Next("POST", "http://tus:1080/files/", [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "(none)");
    EXPECT_EQ(HeaderOf(request, "Upload-Defer-Length"), "1");
    EXPECT_EQ(HeaderOf(request, "Upload-Metadata"), "(none)");
    return TusAnswer(201, {{"Location", "/files/1"}});
  });
  auto const created = client_.Create({});
  ASSERT_TRUE(created);
  EXPECT_EQ(created->url, "http://tus:1080/files/1");
  EXPECT_EQ(created->expires, std::nullopt);
}

TEST_F(ClientCreate, DeclaresAnEmptyUpload) {
  transport_.Next("POST", "http://tus:1080/files/", [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "0");
    return TusAnswer(201, {{"Location", "1"}});
  });
  EXPECT_TRUE(client_.Create({.length = 0, .metadata = {}, .stop = {}}));
}

TEST_F(ClientCreate, BadMetadataIsNotSent) {
  auto const created = client_.Create({.length = 1, .metadata = {{"a b", ""}}, .stop = {}});
  EXPECT_EQ(created.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ClientCreate, TakesASuccessWithAUsableLocation) {
  for (int const status : {200, 201, 202}) {
    EXPECT_TRUE(CreateAnd(TusAnswer(status, {{"Location", "/files/1"}}))) << status;
  }
  EXPECT_EQ(CreateAnd(TusAnswer(200)).error().code, ErrorCode::kProtocol);
  EXPECT_EQ(CreateAnd(TusAnswer(201)).error().code, ErrorCode::kProtocol);
  EXPECT_EQ(CreateAnd(TusAnswer(201, {{"Location", ""}})).error().code, ErrorCode::kProtocol);
  EXPECT_EQ(CreateAnd(TusAnswer(201, {{"Location", "ftp://a/1"}})).error().code,
            ErrorCode::kProtocol);
}

TEST_F(ClientCreate, AnEmptyUploadHasItsBodyWithIt) {
  for (std::uint64_t const length : {0U, 1U}) {
    transport_.Next("POST", "http://tus:1080/files/", [&](HttpRequest const& request) {
      EXPECT_EQ(HeaderOf(request, "Content-Type"),
                length == 0 ? "application/offset+octet-stream" : "(none)");
      EXPECT_EQ(request.body_length, 0U);
      return TusAnswer(201, {{"Location", "1"}});
    });
    EXPECT_TRUE(client_.Create({.length = length, .metadata = {}, .stop = {}}));
  }
}

TEST_F(ClientCreate, RefusesAnOffsetForBytesThatWereNotSent) {
  EXPECT_TRUE(CreateAnd(TusAnswer(201, {{"Location", "1"}, {"Upload-Offset", "0"}})));
  EXPECT_EQ(CreateAnd(TusAnswer(201, {{"Location", "1"}, {"Upload-Offset", "5"}})).error().code,
            ErrorCode::kProtocol);
}

TEST_F(ClientCreate, TheGreetingOfTusdIsNotTus) {
  auto const created = CreateAnd(OtherAnswer(200, {}, "Welcome to tusd"));
  EXPECT_EQ(created.error().code, ErrorCode::kNotTus);
  EXPECT_THAT(created.error().message, HasSubstr("Welcome to tusd"));
}

TEST_F(ClientCreate, AWrongEndpointIsPermanent) {
  EXPECT_EQ(CreateAnd(TusAnswer(404)).error().code, ErrorCode::kRefused);
}

TEST_F(ClientCreate, MessagesDoNotRepeatCredentials) {
  auto const created = CreateAnd(TusAnswer(401, {}, "bad key k3y-value"));
  EXPECT_EQ(created.error().code, ErrorCode::kUnauthorized);
  EXPECT_THAT(created.error().message, Not(HasSubstr("k3y-value")));
}

TEST_F(ClientCreate, PassesOnWhatTheTransportSays) {
  Error error;
  error.code = ErrorCode::kUnreachable;
  transport_.Next("POST", "http://tus:1080/files/", tl::unexpected(error));
  EXPECT_EQ(client_.Create({}).error().code, ErrorCode::kUnreachable);
}

TEST(ClientEndpoint, IsCheckedBeforeAnythingIsSent) {
  ScriptedTransport transport;
  for (auto const* const endpoint : {"", "ftp://host/", "http://user:pw@host/"}) {
    Client client({.endpoint = endpoint, .headers = {}}, transport);
    EXPECT_EQ(client.Options().error().code, ErrorCode::kInvalidArgument) << endpoint;
    EXPECT_EQ(client.Create({}).error().code, ErrorCode::kInvalidArgument) << endpoint;
    EXPECT_EQ(client.Head("http://host/1").error().code, ErrorCode::kInvalidArgument) << endpoint;
  }
}

TEST(ClientEndpoint, BehindAProxyThatForgetsHttpsStaysHttps) {
  ScriptedTransport transport;
  Client client({.endpoint = "https://tus/files/", .headers = {}}, transport);
  transport.Next("POST", "https://tus/files/",
                 TusAnswer(201, {{"Location", "http://tus:80/files/1"}}));
  auto const created = client.Create({});
  ASSERT_TRUE(created);
  EXPECT_EQ(created->url, "https://tus/files/1");

  transport.Next("POST", "https://tus/files/", TusAnswer(201, {{"Location", "http://cdn/1"}}));
  EXPECT_EQ(client.Create({}).error().code, ErrorCode::kProtocol);
}

}  // namespace
}  // namespace tus
