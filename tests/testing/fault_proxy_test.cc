// The fault proxy breaks connections where it was told to, once, and passes everything else.
#include "testing/fault_proxy.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint64_t kLength = 300'000;
constexpr std::uint64_t kHalf = kLength / 2;

class FaultProxyTest : public ::testing::Test {
 protected:
  /// An upload of kLength bytes, made behind the proxy's back; its URL through the proxy.
  std::string Created() {
    auto const id = IdOf(Create(server_, kLength));
    return proxy_.Url() + id;
  }
  HttpAnswer PatchAll(std::string const& url) { return Patch(url, 0, RandomBytes(kLength)); }
  std::uint64_t OffsetOf(std::string const& url) {
    for (auto const& upload : server_.Uploads()) {
      if (upload.id == IdOf(url)) return upload.offset;
    }
    return 0;
  }

  FixtureServer server_;
  FaultProxy proxy_{server_.port()};
};

/// A connection of which a test sees every byte and how it ends.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval const limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawClient() { ::close(fd_); }
  RawClient(RawClient const&) = delete;
  RawClient& operator=(RawClient const&) = delete;

  void AskOptions() {
    std::string_view const request = "OPTIONS /files/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EXPECT_TRUE(SendAll(fd_, request));
  }
  /// What has come until the connection ended or `size` bytes are there.
  std::string Read(std::size_t size) {
    std::string all;
    char buffer[4096];
    while (all.size() < size) {
      ssize_t const got = ::recv(fd_, buffer, sizeof buffer, 0);
      error_ = got < 0 ? errno : 0;
      if (got <= 0) break;
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
  }
  /// Of the last Read: 0 where it ended with FIN.
  [[nodiscard]] int error() const { return error_; }

 private:
  int const fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error_ = 0;
};

TEST_F(FaultProxyTest, PassesEverythingWhileThereIsNoFault) {
  auto const url = Created();
  EXPECT_EQ(PatchAll(url).status, 204);
  EXPECT_EQ(server_.Content(IdOf(url)), RandomBytes(kLength));
  EXPECT_EQ(proxy_.connections(), 1);
  EXPECT_EQ(proxy_.hits(), 0);
}

TEST_F(FaultProxyTest, CutsRequestsAfterSoManyBytesAndOnce) {
  proxy_.Add(ConnectionFault::Cut(Direction::kRequests, kHalf));
  auto const url = Created();
  // The server may still say what it thinks of half a body.
  EXPECT_NE(PatchAll(url).status, 204);
  EXPECT_TRUE(WaitFor([&] { return OffsetOf(url) > kHalf - 1000; }));
  EXPECT_LT(OffsetOf(url), kHalf);
  EXPECT_EQ(proxy_.hits(), 1);
  EXPECT_EQ(Head(url).status, 200);
}

TEST_F(FaultProxyTest, FaultsOfOneDirectionFollowEachOther) {
  proxy_.Add(ConnectionFault::Cut(Direction::kRequests, 0));
  proxy_.Add(ConnectionFault::Cut(Direction::kRequests, 0));
  EXPECT_EQ(Head(Created()).status, 0);
  EXPECT_EQ(Head(Created()).status, 0);
  EXPECT_EQ(Head(Created()).status, 200);
}

TEST_F(FaultProxyTest, CutsAnswers) {
  proxy_.Add(ConnectionFault::Cut(Direction::kAnswers, 20));
  RawClient client(proxy_.port());
  client.AskOptions();
  EXPECT_THAT(client.Read(10'000), StartsWith("HTTP/1.1 204"));
  EXPECT_EQ(client.error(), 0);
}

TEST_F(FaultProxyTest, ResetsConnections) {
  proxy_.Add(ConnectionFault::Reset(Direction::kRequests, 10));
  RawClient client(proxy_.port());
  client.AskOptions();
  EXPECT_EQ(client.Read(1), "");
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(FaultProxyTest, StallsAndGoesOn) {
  auto const start = steady_clock::now();
  proxy_.Add(ConnectionFault::Stall(Direction::kRequests, kHalf, milliseconds(200)));
  EXPECT_EQ(PatchAll(Created()).status, 204);
  EXPECT_GE(steady_clock::now() - start, milliseconds(200));
}

TEST_F(FaultProxyTest, IsAsSlowAsItWasTold) {
  proxy_.SetRate(kLength * 4);
  auto const start = steady_clock::now();
  EXPECT_EQ(PatchAll(Created()).status, 204);
  EXPECT_GE(steady_clock::now() - start, milliseconds(240));
}

TEST_F(FaultProxyTest, DelaysAnswersUntilCleared) {
  proxy_.SetAnswerDelay(milliseconds(150));
  auto const url = Created();
  auto const start = steady_clock::now();
  EXPECT_EQ(Head(url).status, 200);
  EXPECT_GE(steady_clock::now() - start, milliseconds(150));
  proxy_.Clear();
  EXPECT_EQ(Head(url).status, 200);
}

TEST_F(FaultProxyTest, ABlackHoleTakesRequestsAndAnswersNothing) {
  proxy_.Add(ConnectionFault::BlackHole(0, milliseconds(150)));
  auto const start = steady_clock::now();
  RawClient client(proxy_.port());
  client.AskOptions();
  EXPECT_EQ(client.Read(1), "");
  EXPECT_EQ(client.error(), ECONNRESET);
  EXPECT_GE(steady_clock::now() - start, milliseconds(150));
  EXPECT_EQ(server_.Stats().options, 0);
}

TEST_F(FaultProxyTest, TheEndOfRequestsLeavesAnswersOpen) {
  proxy_.Add(ConnectionFault::End(Direction::kRequests, kHalf));
  auto const url = Created();
  EXPECT_NE(PatchAll(url).status, 204);
  EXPECT_TRUE(WaitFor([&] { return OffsetOf(url) > kHalf - 1000; }));
  EXPECT_LT(OffsetOf(url), kHalf);
}

TEST_F(FaultProxyTest, TheEndOfAnswersLeavesRequestsOpen) {
  proxy_.Add(ConnectionFault::End(Direction::kAnswers, 0));
  RawClient client(proxy_.port());
  client.AskOptions();
  EXPECT_EQ(client.Read(1), "");
  EXPECT_EQ(client.error(), 0);
  client.AskOptions();
  EXPECT_TRUE(WaitFor([&] { return server_.Stats().options == 2; }));
}

TEST_F(FaultProxyTest, RewritesOneAnswer) {
  proxy_.Add(ConnectionFault::Rewrite(1, [](std::string_view answer) {
    return std::string(answer) + "again " + std::string(answer);
  }));
  EXPECT_EQ(Head(Created()).status, 200);
  RawClient client(proxy_.port());
  client.AskOptions();
  auto const first = client.Read(1);
  EXPECT_THAT(first, StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(first, HasSubstr("again HTTP/1.1 204"));
}

TEST_F(FaultProxyTest, RewritesTheLastAnswerOfAConnection) {
  proxy_.Add(ConnectionFault::RewriteLast(0, [](std::string_view) { return "hello"; }));
  RawClient client(proxy_.port());
  client.AskOptions();
  EXPECT_EQ(client.Read(10'000), "hello");
  EXPECT_EQ(client.error(), 0);
}

TEST_F(FaultProxyTest, RefusesConnectionsWhileClosed) {
  auto const url = Created();
  proxy_.Close();
  EXPECT_EQ(Head(url).status, 0);
  proxy_.Open();
  EXPECT_EQ(Head(url).status, 200);
}

}  // namespace
}  // namespace tusfs_testing
