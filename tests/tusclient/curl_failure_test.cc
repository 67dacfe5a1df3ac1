// CurlTransport: servers that cut, stall, refuse early or talk too much.
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

/// Zeros up to `size`, then the end or an error.
class LimitedSource : public DataSource {
 public:
  explicit LimitedSource(std::uint64_t size, bool fails = false) : size_(size), fails_(fails) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    auto const left = size_ - std::min(size_, offset);
    if (left == 0 && fails_) {
      Error error;
      error.code = ErrorCode::kSource;
      error.message = "the card was pulled";
      return tl::unexpected(error);
    }
    auto const count = static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size()));
    std::fill_n(out.begin(), count, std::byte{0});
    return count;
  }

 private:
  std::uint64_t size_;
  bool fails_;
};

Result<HttpResponse> Send(RawServer const& server, std::string method, std::uint64_t length = 0,
                          CurlTransportOptions options = {}) {
  LimitedSource source(length);
  HttpRequest request;
  request.method = std::move(method);
  request.url = server.Url();
  request.body = &source;
  request.body_length = length;
  return MakeCurlTransport(std::move(options))->Perform(request);
}

void ExpectError(Result<HttpResponse> const& response, ErrorCode code) {
  ASSERT_FALSE(response) << "answered " << response->status;
  EXPECT_EQ(Name(response.error().code), Name(code)) << response.error().message;
  EXPECT_THAT(response.error().message, AllOf(Not(HasSubstr("SECRET")), Not(testing::IsEmpty())));
}

TEST(CurlFailure, AnAnswerThatIsCutInItsBodyIsInterrupted) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it");
  });
  ExpectError(Send(server, "GET"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, AnAnswerThatIsCutInItsHeadersIsInterrupted) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 204 No Content\r\nUpload-Off");
  });
  ExpectError(Send(server, "PATCH"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, ARefusalCountsEvenIfItsBodyIsCut) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\nthe hook said no");
  });
  auto const response = Send(server, "PATCH");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 422);
  EXPECT_EQ(response->body, "the hook said no");
}

TEST(CurlFailure, ARequestThatIsCutInItsBodyIsInterrupted) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.ReadBody(100'000);
    connection.Reset();
  });
  ExpectError(Send(server, "PATCH", kMoreThanSocketsHold), ErrorCode::kInterrupted);
}

TEST(CurlFailure, NoAnswerAtAllIsInterrupted) {
  RawServer server([](RawConnection& connection) { connection.ReadHead(); });
  ExpectError(Send(server, "POST"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, SomethingOtherThanHttpIsInterrupted) {
  RawServer server([](RawConnection& connection) {
    connection.Send("SSH-2.0-OpenSSH_9.2\r\n");
    connection.WaitForClose();
  });
  ExpectError(Send(server, "OPTIONS"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, AServerThatStallsIsInterrupted) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.WaitForClose();
  });
  ExpectError(Send(server, "PATCH", 1000, {.stall_timeout = std::chrono::seconds(1)}),
              ErrorCode::kInterrupted);
}

TEST(CurlFailure, AnEarly413IsReturnedAlthoughTheBodyIsNotRead) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    connection.FinishSending();
    connection.WaitForClose();
  });
  auto const response = Send(server, "PATCH", kMoreThanSocketsHold);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(response->body, "no");
}

TEST(CurlFailure, AnEarlyShortSuccessIsReturnedAlthoughTheBodyIsNotRead) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.ReadBody(1000);
    connection.Send("HTTP/1.1 204 No Content\r\nUpload-Offset: 1000\r\nConnection: close\r\n\r\n");
    connection.FinishSending();
    connection.WaitForClose();
  });
  auto const response = Send(server, "PATCH", kMoreThanSocketsHold);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->Find("Upload-Offset"), "1000");
}

TEST(CurlFailure, EndlessHeadersAreCutOff) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 200 OK\r\n");
    while (connection.Send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  ExpectError(Send(server, "HEAD"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, AnEndlessHeaderIsCutOff) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 200 OK\r\nX-Filler: ");
    while (connection.Send(std::string(65536, 'x'))) {
    }
  });
  ExpectError(Send(server, "HEAD"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, EndlessInterimAnswersAreCutOff) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    while (connection.Send("HTTP/1.1 102 Processing\r\n\r\n")) {
    }
  });
  ExpectError(Send(server, "POST"), ErrorCode::kInterrupted);
}

TEST(CurlFailure, ARefusedConnectionIsUnreachable) {
  std::string url;
  std::string port;
  {
    RawServer server([](RawConnection&) {});
    url = server.Url();
    port = std::to_string(server.port());
  }
  HttpRequest request;
  request.method = "OPTIONS";
  request.url = url;
  auto const response = MakeCurlTransport({})->Perform(request);
  ExpectError(response, ErrorCode::kUnreachable);
  EXPECT_EQ(response.error().message,
            "could not connect to 127.0.0.1 port " + port + ": Connection refused");
}

TEST(CurlFailure, ANameThatDoesNotResolveIsUnreachable) {
  // No name server is asked for a label of more than 63 letters.
  auto const host = std::string(64, 'a') + ".example";
  HttpRequest request;
  request.method = "OPTIONS";
  request.url = "http://" + host + "/files/SECRET";
  auto const response = MakeCurlTransport({})->Perform(request);
  ExpectError(response, ErrorCode::kUnreachable);
  EXPECT_EQ(response.error().message,
            "could not connect to " + host + " port 80: its name does not resolve");
}

TEST(CurlFailure, TlsTroubleIsUnreachable) {
  RawServer server([](RawConnection& connection) {
    connection.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.WaitForClose();
  });
  HttpRequest request;
  request.method = "OPTIONS";
  request.url = server.Url("https");
  auto const response = MakeCurlTransport({})->Perform(request);
  ExpectError(response, ErrorCode::kUnreachable);
  EXPECT_THAT(response.error().message, HasSubstr("TLS"));
}

class CurlSource : public testing::Test {
 protected:
  RawServer server_{[](RawConnection& connection) { connection.WaitForClose(); }};

  Result<HttpResponse> SendFrom(LimitedSource source) {
    HttpRequest request;
    request.method = "PATCH";
    request.url = server_.Url();
    request.body = &source;
    request.body_length = 1000;
    return MakeCurlTransport({})->Perform(request);
  }
};

TEST_F(CurlSource, FailureIsItsOwnError) {
  auto const response = SendFrom(LimitedSource(500, true));
  ExpectError(response, ErrorCode::kSource);
  EXPECT_EQ(response.error().message, "the card was pulled");
}

TEST_F(CurlSource, EndingEarlyIsASourceError) {
  ExpectError(SendFrom(LimitedSource(500)), ErrorCode::kSource);
}

}  // namespace
}  // namespace tus
