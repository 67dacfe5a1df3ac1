// CurlTransport: what goes over the wire and what comes back when all goes well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "raw_server.h"
#include "tusclient/transport.h"

namespace tus {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Answers each request of a connection with `answer` and keeps what came in.
class CurlTransport : public testing::Test {
 protected:
  std::unique_ptr<HttpTransport> transport_ = MakeCurlTransport({});
  std::string head_;

  Result<HttpResponse> Exchange(std::string method, std::string_view answer,
                                std::vector<Header> headers = {}) {
    RawServer server([&](RawConnection& connection) {
      head_ = connection.ReadHead();
      connection.Send(answer);
      connection.WaitForClose();
    });
    HttpRequest request;
    request.method = std::move(method);
    request.url = server.Url();
    request.headers = std::move(headers);
    auto response = transport_->Perform(request);
    transport_ = MakeCurlTransport({});  // closes the connection, so that the script ends
    return response;
  }
};

TEST_F(CurlTransport, SendsMethodPathAndHeaders) {
  auto const response = Exchange("OPTIONS", "HTTP/1.1 204 No Content\r\n\r\n",
                                 {{"Tus-Resumable", "1.0.0"}, {"X-Empty", ""}});
  ASSERT_TRUE(response);
  EXPECT_THAT(head_, AllOf(StartsWith("OPTIONS /files/SECRET HTTP/1.1\r\n"),
                           HasSubstr("\r\nTus-Resumable: 1.0.0\r\n"), HasSubstr("\r\nX-Empty:\r\n"),
                           HasSubstr("\r\nUser-Agent: tusclient\r\n")));
}

TEST_F(CurlTransport, SendsALengthOfZeroWithABodilessPostOrPatch) {
  for (auto const* const method : {"POST", "PATCH"}) {
    EXPECT_TRUE(Exchange(method, "HTTP/1.1 204 No Content\r\n\r\n"));
    EXPECT_THAT(head_, AllOf(StartsWith(method), HasSubstr("\r\nContent-Length: 0\r\n"),
                             Not(HasSubstr("Transfer-Encoding"))));
  }
}

TEST_F(CurlTransport, SendsNoLengthWithDelete) {
  EXPECT_TRUE(Exchange("DELETE", "HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_THAT(head_, AllOf(StartsWith("DELETE "), Not(HasSubstr("Content-Length"))));
}

TEST_F(CurlTransport, DoesNotWaitForTheBodyOfHead) {
  auto const response =
      Exchange("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nUpload-Offset: 7\r\n\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->Find("upload-offset"), "7");
  EXPECT_EQ(response->body, "");
}

TEST_F(CurlTransport, ReturnsStatusHeadersAndBodyOfAnError) {
  auto const response =
      Exchange("PATCH", "HTTP/1.1 409 Conflict\r\nX-A:  spaced \r\nContent-Length: 3\r\n\r\nno!");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 409);
  EXPECT_EQ(response->Find("X-A"), "spaced");
  EXPECT_EQ(response->body, "no!");
}

TEST_F(CurlTransport, ForgetsTheHeadersOfInterimAnswers) {
  auto const response =
      Exchange("POST",
               "HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n"
               "HTTP/1.1 201 Created\r\nLocation: /1\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->Find("X-Hint"), std::nullopt);
  EXPECT_EQ(response->Find("Location"), "/1");
}

TEST_F(CurlTransport, IgnoresTrailers) {
  auto const response = Exchange("GET",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n"
                                 "\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "ok");
  EXPECT_EQ(response->Find("X-T"), std::nullopt);
}

TEST_F(CurlTransport, ReturnsRedirects) {
  auto const response = Exchange(
      "HEAD",
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 307);
  EXPECT_EQ(response->Find("Location"), "/elsewhere");
}

TEST_F(CurlTransport, Keeps64KiBOfALongBody) {
  auto const response = Exchange(
      "GET", "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(200000, 'x'));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, std::string(65536, 'x'));
}

TEST_F(CurlTransport, DoesNotListenToABodyForEver) {
  RawServer server([&](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.Send(std::string(65536, 'x'))) {
    }
  });
  HttpRequest request;
  request.method = "GET";
  request.url = server.Url();
  auto const response = transport_->Perform(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body.size(), 65536U);
}

TEST_F(CurlTransport, SendsExactlyTheBytesOfTheBodyAndReportsThem) {
  std::string bytes(3'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 % 251);
  std::size_t constexpr kFrom = 1000;
  std::size_t constexpr kSize = 2'500'000;
  std::string received;
  RawServer server([&](RawConnection& connection) {
    head_ = connection.ReadHead();
    received = connection.ReadBody(kSize);
    connection.Send("HTTP/1.1 204 No Content\r\nUpload-Offset: 2501000\r\n\r\n");
    connection.WaitForClose();
  });
  MemorySource source(std::as_bytes(std::span(bytes)));
  std::uint64_t sent = 0;
  HttpRequest request;
  request.method = "PATCH";
  request.url = server.Url();
  request.body = &source;
  request.body_offset = kFrom;
  request.body_length = kSize;
  request.on_sent = [&](std::uint64_t count) { sent += count; };

  auto const response = transport_->Perform(request);

  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 204);
  EXPECT_EQ(sent, kSize);
  EXPECT_TRUE(received == bytes.substr(kFrom, kSize));
  EXPECT_THAT(head_, AllOf(HasSubstr("\r\nContent-Length: 2500000\r\n"), Not(HasSubstr("Expect"))));
}

TEST_F(CurlTransport, RefusesRequestsThatCannotBeSent) {
  RawServer server([](RawConnection&) {});
  HttpRequest good;
  good.method = "POST";
  good.url = server.Url();
  std::vector<HttpRequest> bad(7, good);
  bad[0].headers = {{"X-A", "1\r\nX-B: 2"}};
  bad[1].headers = {{"X A", "1"}};
  bad[2].headers = {{"content-length", "5"}};
  bad[3].headers = {{"", "1"}};
  bad[4].url = "ftp://127.0.0.1/";
  bad[5].url = "http://user:secret@127.0.0.1/";
  bad[6].body_length = 5;
  for (auto const& request : bad) {
    auto const response = transport_->Perform(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(response.error().message.empty());
    EXPECT_THAT(response.error().message, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace tus
