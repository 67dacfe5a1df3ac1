// CurlTransport: servers that never come to an end, or let one wait at every step.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "byte_sources.h"
#include "raw_server.h"
#include "testing/prompt.h"
#include "tusclient/transport.h"

namespace tus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
/// `text` again and again, with so little in between that nobody calls it a stall.
void Drip(RawConnection& connection, std::string_view text) {
  while (connection.Send(text)) std::this_thread::sleep_for(milliseconds(100));
}

class CurlHostile : public testing::Test {
 protected:
  steady_clock::duration time_{};

  Result<HttpResponse> Ask(RawServer const& server, std::string method, std::uint64_t length = 0) {
    ZeroSource source;
    HttpRequest request;
    request.method = std::move(method);
    request.url = server.Url();
    request.body = &source;
    request.body_length = length;
    auto const start = steady_clock::now();
    auto response = MakeCurlTransport({.stall_timeout = seconds(1)})->Perform(request);
    time_ = steady_clock::now() - start;
    return response;
  }

  /// That it is over in about two stall timeouts, and unknown how.
  void ExpectGivenUp(RawServer::Script const& answer, std::string const& method = "POST",
                     std::uint64_t length = 0) {
    RawServer server([&](RawConnection& connection) {
      connection.ReadHead();
      answer(connection);
    });
    auto const response = Ask(server, method, length);
    ASSERT_FALSE(response) << response->status;
    EXPECT_EQ(Name(response.error().code), Name(ErrorCode::kInterrupted))
        << response.error().message;
    EXPECT_LE(time_, seconds(8));
  }
};

TEST_F(CurlHostile, AStatusLineThatDripsIsGivenUp) {
  ExpectGivenUp([](RawConnection& connection) {
    connection.Send("HTTP/1.1 204 ");
    Drip(connection, "o");
  });
}

TEST_F(CurlHostile, HeadersThatDripAreGivenUp) {
  ExpectGivenUp([](RawConnection& connection) {
    connection.Send("HTTP/1.1 204 No Content\r\n");
    Drip(connection, "X: y\r\n");
  });
}

TEST_F(CurlHostile, InterimAnswersThatDripAreGivenUp) {
  ExpectGivenUp(
      [](RawConnection& connection) { Drip(connection, "HTTP/1.1 102 Processing\r\n\r\n"); });
}

TEST_F(CurlHostile, HeadersThatDripWhileNobodyReadsTheBodyAreGivenUp) {
  ExpectGivenUp(
      [](RawConnection& connection) {
        connection.Send("HTTP/1.1 204 No Content\r\n");
        Drip(connection, "X: y\r\n");
      },
      "PATCH", kMoreThanSocketsHold);
}

TEST_F(CurlHostile, ABodyThatDripsIsNotWaitedForAndTheAnswerCounts) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n");
    Drip(connection, "x");
  });
  auto const response = Ask(server, "POST");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 503);
  EXPECT_LE(time_, seconds(8));
}

TEST_F(CurlHostile, AChunkHeaderWithoutEndIsNotReadForEver) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    while (connection.Send(std::string(65536, 'x'))) {
    }
  });
  auto const response = Ask(server, "POST");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 503);
  EXPECT_LE(time_, seconds(8));
}

TEST_F(CurlHostile, TrailersWithoutEndAreCutOff) {
  ExpectGivenUp([](RawConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    while (connection.Send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
}

TEST_F(CurlHostile, AnEndlessChunkedBodyIsCutOff) {
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.Send("1\r\nx\r\n")) {
    }
  });
  auto const response = Ask(server, "HEAD");
  EXPECT_TRUE(response) << response.error().message;
  auto const long_answer = Ask(server, "POST");
  ASSERT_TRUE(long_answer) << long_answer.error().message;
  EXPECT_EQ(long_answer->status, 404);
}

// Longer than the time after which a dripping answer would be given up.
TEST_F(CurlHostile, AServerThatReadsSlowlyIsNoneOfThem) {
  constexpr std::size_t kStep = 1'000'000;
  constexpr std::size_t kSteps = 40;
  RawServer server([](RawConnection& connection) {
    connection.ReadHead();
    for (std::size_t i = 0; i < kSteps; ++i) {
      connection.ReadBody(kStep);
      std::this_thread::sleep_for(milliseconds(100));
    }
    connection.Send("HTTP/1.1 204 No Content\r\n\r\n");
    connection.WaitForClose();
  });
  auto const response = Ask(server, "PATCH", kStep * kSteps);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_GE(time_, seconds(3));
}

/// A port whose queue of connections is full: who connects to it hears nothing.
class BlackHole {
 public:
  BlackHole() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 0), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
    for (auto& client : clients_) {
      client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      static_cast<void>(connect(client, generic, size));
    }
  }
  BlackHole(BlackHole const&) = delete;
  BlackHole& operator=(BlackHole const&) = delete;
  ~BlackHole() {
    for (int const client : clients_) close(client);
    close(listener_);
  }

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::array<int, 8> clients_{};
  std::uint16_t port_ = 0;
};

/// How long Perform goes on after a stop that comes `after` its beginning.
milliseconds TimeToCancel(std::string const& url, milliseconds after) {
  std::stop_source stop;
  steady_clock::time_point stopped;
  std::jthread canceller([&] {
    std::this_thread::sleep_for(after);
    stopped = steady_clock::now();
    stop.request_stop();
  });
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.stop = stop.get_token();
  auto const response = MakeCurlTransport({})->Perform(request);
  auto const returned = steady_clock::now();
  canceller.join();
  EXPECT_FALSE(response);
  if (!response) {
    EXPECT_EQ(Name(response.error().code), Name(ErrorCode::kCancelled)) << response.error().message;
  }
  return std::chrono::duration_cast<milliseconds>(returned - stopped);
}

void ExpectPromptCancel(std::string const& url) {
  // A busy machine may not run either thread in time, so the promise has to hold once in five.
  auto best = milliseconds::max();
  for (int i = 0; i < 5 && best > tusfs_testing::kPrompt; ++i) {
    best = std::min(best, TimeToCancel(url, milliseconds(200)));
  }
  EXPECT_LE(best, tusfs_testing::kPrompt);
}

TEST(CurlCancelConnecting, ReturnsWithin100MillisecondsWhenNobodyAnswers) {
  BlackHole const hole;
  ExpectPromptCancel(hole.Url());
}

TEST(CurlCancelConnecting, ReturnsWithin100MillisecondsWhenTheTlsHandshakeStalls) {
  RawServer server([](RawConnection& connection) { connection.WaitForClose(); });
  ExpectPromptCancel(server.Url("https"));
}

}  // namespace
}  // namespace tus
