// Reading uploads back over real HTTP.
#include <gmock/gmock.h>

#include "raw_server.h"
#include "testing/fixture_client.h"
#include "wire_rig.h"

namespace tus {
namespace {

using std::chrono::milliseconds;
using tusfs_testing::Fault;
using tusfs_testing::FixtureOptions;
using tusfs_testing::FixtureServer;

class Reader {
 public:
  explicit Reader(std::string url, CurlTransportOptions options = {})
      : url_(std::move(url)),
        transport_(MakeCurlTransport(std::move(options))),
        client_({.endpoint = url_.substr(0, url_.rfind('/') + 1)}, *transport_) {}

  ErrorCode Fails(std::uint64_t offset, std::uint64_t length) {
    auto const result = Read(offset, length);
    if (result) return ErrorCode::kRefused;
    EXPECT_THAT(result.error().message, testing::Not(testing::HasSubstr("SECRET")));
    return result.error().code;
  }

  Result<void> Read(std::uint64_t offset, std::uint64_t length, std::stop_token stop = {}) {
    got.clear();
    return client_.Download({.url = url_,
                             .offset = offset,
                             .length = length,
                             .sink =
                                 [&](std::uint64_t at, std::span<std::byte const> bytes) {
                                   EXPECT_EQ(at, offset + got.size());
                                   got.append(reinterpret_cast<char const*>(bytes.data()),
                                              bytes.size());
                                   return !on_bytes || on_bytes();
                                 },
                             .stop = std::move(stop)});
  }

  std::string got;
  std::function<bool()> on_bytes;

 private:
  std::string url_;
  std::unique_ptr<HttpTransport> transport_;
  Client client_;
};

std::string Put(FixtureServer const& server, std::string const& bytes) {
  auto url = tusfs_testing::Create(server, bytes.size());
  EXPECT_EQ(tusfs_testing::Patch(url, 0, bytes).status, 204);
  return url;
}

class FromTheFixture : public testing::TestWithParam<bool> {
 protected:
  std::string const bytes_ = tusfs_testing::RandomBytes(5'000'000);
  FixtureServer server_{FixtureOptions{.ranges = GetParam()}};
  Reader reader_{Put(server_, bytes_)};
};

TEST_P(FromTheFixture, AllOfItComes) {
  ASSERT_TRUE(reader_.Read(0, bytes_.size()));
  EXPECT_TRUE(reader_.got == bytes_);
}

TEST_P(FromTheFixture, ItsEndComes) {
  ASSERT_TRUE(reader_.Read(4'000'001, bytes_.size()));
  EXPECT_TRUE(reader_.got == bytes_.substr(4'000'001));
}

TEST_P(FromTheFixture, WhatIsLargerThereIsNotGivenOut) {
  EXPECT_EQ(reader_.Fails(10, bytes_.size() - 1), ErrorCode::kProtocol);
  EXPECT_EQ(reader_.got, "");
}

TEST_P(FromTheFixture, WhatIsGoneIsGone) {
  server_.AddFault({.method = "GET", .action = Fault::ForgetUpload()});
  EXPECT_EQ(reader_.Fails(0, bytes_.size()), ErrorCode::kGone);
}

TEST_P(FromTheFixture, ACutKeepsWhatCame) {
  server_.AddFault({.method = "GET", .action = Fault::CutAfter(3'000'000)});
  EXPECT_EQ(reader_.Fails(0, bytes_.size()), ErrorCode::kInterrupted);
  EXPECT_TRUE(reader_.got == bytes_.substr(0, reader_.got.size()));
  EXPECT_GT(reader_.got.size(), 1'000'000U);
}

TEST_P(FromTheFixture, TheReceiverEndsItAndTheTransportGoesOn) {
  reader_.on_bytes = [] { return false; };
  EXPECT_EQ(reader_.Fails(0, bytes_.size()), ErrorCode::kCancelled);
  EXPECT_LT(reader_.got.size(), bytes_.size());
  reader_.on_bytes = nullptr;
  EXPECT_TRUE(reader_.Read(0, bytes_.size()));
}

TEST_P(FromTheFixture, AStopEndsItInTheMiddle) {
  std::stop_source stop;
  reader_.on_bytes = [&] { return stop.request_stop(); };
  auto const result = reader_.Read(0, bytes_.size(), stop.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Ranges, FromTheFixture, testing::Bool(), [](auto const& row) {
  return row.param ? std::string("Known") : std::string("Ignored");
});

/// One connection that answers each request so.
RawServer Answering(std::string const& answer) {
  return RawServer([answer](RawConnection& connection) {
    if (!connection.ReadHead().empty()) connection.Send(answer);
  });
}

constexpr auto kTus = "HTTP/1.1 200 OK\r\nTus-Resumable: 1.0.0\r\n";

TEST(FromARawServer, ABodyThatIsCutIsInterrupted) {
  auto const server = Answering(std::string(kTus) + "Content-Length: 10\r\n\r\n01234");
  Reader reader(server.Url());
  EXPECT_EQ(reader.Fails(0, 10), ErrorCode::kInterrupted);
  EXPECT_EQ(reader.got, "01234");
}

TEST(FromARawServer, AChunkedBodyThatIsCutIsInterrupted) {
  auto const server =
      Answering(std::string(kTus) + "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n");
  Reader reader(server.Url());
  EXPECT_EQ(reader.Fails(0, 10), ErrorCode::kInterrupted);
}

TEST(FromARawServer, ABodyWithoutLengthThatEndsEarlyIsInterrupted) {
  auto const server = Answering(std::string(kTus) + "Connection: close\r\n\r\n01234");
  Reader reader(server.Url());
  EXPECT_EQ(reader.Fails(0, 10), ErrorCode::kInterrupted);
}

TEST(FromARawServer, ABodyWithoutLengthThatGoesOnIsRefused) {
  auto const server = Answering(std::string(kTus) + "Connection: close\r\n\r\n0123456789AB");
  Reader reader(server.Url());
  EXPECT_EQ(reader.Fails(0, 10), ErrorCode::kProtocol);
}

TEST(FromARawServer, AnotherRangeIsRefused) {
  auto const server = Answering(
      "HTTP/1.1 206 Partial\r\nTus-Resumable: 1.0.0\r\nContent-Range: bytes 4-9/10\r\n"
      "Content-Length: 6\r\n\r\n456789");
  Reader reader(server.Url());
  EXPECT_EQ(reader.Fails(5, 10), ErrorCode::kProtocol);
  EXPECT_EQ(reader.got, "");
}

TEST(FromARawServer, ARefusalKeepsItsWords) {
  auto const server = Answering(
      "HTTP/1.1 403 Forbidden\r\nTus-Resumable: 1.0.0\r\nContent-Length: 12\r\n\r\nnot for you\n");
  Reader reader(server.Url());
  auto const result = reader.Read(0, 10);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnauthorized);
  EXPECT_THAT(result.error().message, testing::HasSubstr("not for you"));
  EXPECT_EQ(reader.got, "");
}

// An answer to a PATCH would have to be there within two stall timeouts.
TEST(FromARawServer, ALongDownloadIsNotAStall) {
  RawServer const server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send(std::string(kTus) + "Content-Length: 8\r\n\r\n");
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(milliseconds(400));  // the time that this test is about
      connection.Send("x");
    }
  });
  Reader reader(server.Url(), {.stall_timeout = std::chrono::seconds(1)});
  EXPECT_TRUE(reader.Read(0, 8));
}

TEST(FromARawServer, AStalledDownloadIsInterrupted) {
  RawServer const server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send(std::string(kTus) + "Content-Length: 8\r\n\r\nx");
    connection.WaitForStop();
  });
  Reader reader(server.Url(), {.stall_timeout = std::chrono::seconds(1)});
  EXPECT_EQ(reader.Fails(0, 8), ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace tus
