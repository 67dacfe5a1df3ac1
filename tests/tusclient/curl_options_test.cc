// CurlTransport's options: where it connects from and through, and whom it says it is.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "testing/files.h"
#include "tls_server.h"
#include "tusclient/transport.h"

namespace tus {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tusfs_testing::WriteFile;

/// Variables as a test wants them; afterwards as they were.
class Environment {
 public:
  /// No value: not set.
  void Set(std::string const& name, std::optional<std::string> const& value) {
    auto const* const before = std::getenv(name.c_str());
    before_.emplace(name, before != nullptr ? std::optional<std::string>(before) : std::nullopt);
    Put(name, value);
  }
  Environment() = default;
  Environment(Environment const&) = delete;
  Environment& operator=(Environment const&) = delete;
  ~Environment() {
    for (auto const& [name, value] : before_) Put(name, value);
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;

  static void Put(std::string const& name, std::optional<std::string> const& value) {
    value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
  }
};

/// The client's end of a connection to `port`, which is in this process, too; -1 where there is
/// none.
int ClientSocket(std::uint16_t port) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
        peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) {
      return fd;
    }
  }
  return -1;
}

class CurlOptions : public testing::Test {
 protected:
  Environment environment_;
  tusfs_testing::TempDir directory_;

  std::string Path(std::string_view name) const { return (directory_ / name).string(); }

  static Result<HttpResponse> Ask(std::string const& url, CurlTransportOptions options = {},
                                  std::string netrc_file = {}) {
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    request.netrc_file = std::move(netrc_file);
    return MakeCurlTransport(std::move(options))->Perform(request);
  }

  static RawServer::Script Answering(std::string& head) {
    return [&](RawConnection& connection) {
      head = connection.ReadHead();
      connection.Send(kEmptyAnswer);
      connection.WaitForClose();
    };
  }

  static void ExpectError(Result<HttpResponse> const& response, ErrorCode code,
                          testing::Matcher<std::string> const& message) {
    ASSERT_FALSE(response) << response->status;
    EXPECT_EQ(Name(response.error().code), Name(code));
    EXPECT_THAT(response.error().message, message);
  }
};

TEST_F(CurlOptions, InterfaceIsWhereTheConnectionComesFrom) {
  std::uint16_t port = 0;
  std::string from;
  RawServer server([&](RawConnection& connection) {
    connection.ReadHead();
    sockaddr_in local{};
    socklen_t size = sizeof(local);
    getsockname(ClientSocket(port), reinterpret_cast<sockaddr*>(&local), &size);
    from = inet_ntoa(local.sin_addr);
    connection.Send(kEmptyAnswer);
    connection.WaitForClose();
  });
  port = server.port();
  EXPECT_TRUE(Ask(server.Url(), {.interface = "127.0.0.5"}));
  EXPECT_EQ(from, "127.0.0.5");
}

TEST_F(CurlOptions, AnInterfaceMayBeNamedAsSuch) {
  std::string head;
  RawServer server(Answering(head));
  EXPECT_TRUE(Ask(server.Url(), {.interface = "if!lo"}));
  ExpectError(Ask(server.Url(), {.interface = "if!none7"}), ErrorCode::kUnreachable,
              testing::HasSubstr(": from 'none7': "));
}

TEST_F(CurlOptions, InterfaceThatIsNotThereIsUnreachable) {
  std::string head;
  RawServer server(Answering(head));
  ExpectError(Ask(server.Url(), {.interface = "198.51.100.77"}), ErrorCode::kUnreachable,
              HasSubstr("198.51.100.77"));
}

TEST_F(CurlOptions, IpVersionIsWhatANameResolvesTo) {
  std::string head;
  RawServer server(Answering(head));  // on IPv4
  auto const url = "http://localhost:" + std::to_string(server.port()) + "/";
  EXPECT_TRUE(Ask(url));
  EXPECT_TRUE(Ask(url, {.ip = CurlTransportOptions::Ip::k4}));
  ExpectError(Ask(url, {.ip = CurlTransportOptions::Ip::k6}), ErrorCode::kUnreachable, testing::_);
}

TEST_F(CurlOptions, ConnectionsAreProbedWhileTheyAreIdle) {
  std::uint16_t port = 0;
  std::map<int, int> values;
  RawServer server([&](RawConnection& connection) {
    connection.ReadHead();
    for (int const option : {TCP_KEEPIDLE, TCP_KEEPINTVL}) {
      socklen_t size = sizeof(int);
      getsockopt(ClientSocket(port), IPPROTO_TCP, option, &values[option], &size);
    }
    connection.Send(kEmptyAnswer);
    connection.WaitForClose();
  });
  port = server.port();
  ASSERT_TRUE(Ask(server.Url()));
  EXPECT_EQ(values[TCP_KEEPIDLE], 30);
  EXPECT_EQ(values[TCP_KEEPINTVL], 15);
}

TEST_F(CurlOptions, ProxyOfTheEnvironmentIsUsedForHttp) {
  std::string head;
  RawServer proxy(Answering(head));
  auto const address = "127.0.0.1:" + std::to_string(proxy.port());
  environment_.Set("http_proxy", "http://me:secret@" + address);
  environment_.Set("no_proxy", std::nullopt);

  auto const response = Ask("http://tus.example/files/1");

  ASSERT_TRUE(response) << response.error().message;
  EXPECT_THAT(head, AllOf(StartsWith("POST http://tus.example/files/1 HTTP/1.1\r\n"),
                          HasSubstr("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n")));
}

TEST_F(CurlOptions, ProxyOfTheEnvironmentIsNotUsedForNamesInNoProxy) {
  std::string head;
  RawServer proxy(Answering(head));
  std::string direct;
  RawServer server(Answering(direct));
  environment_.Set("http_proxy", "http://127.0.0.1:" + std::to_string(proxy.port()));
  environment_.Set("no_proxy", "example.org,127.0.0.1");

  EXPECT_TRUE(Ask(server.Url()));

  EXPECT_THAT(direct, StartsWith("POST /files/SECRET HTTP/1.1\r\n"));
  EXPECT_EQ(proxy.connections(), 0);
}

TEST_F(CurlOptions, ProxyOfTheEnvironmentIsATunnelForHttps) {
  Authority const authority;
  WriteFile(directory_ / "ca.pem", authority.certificate());
  std::string connect;
  std::string head;
  auto const inside = OverTls({.identity = authority.Issue({.name = "DNS:tus.example"})},
                              [&](TlsConnection& connection) {
                                head = connection.ReadHead();
                                connection.Send(kEmptyAnswer);
                                connection.ReadHead();
                              });
  RawServer proxy([&](RawConnection& connection) {
    connect = connection.ReadHead();
    connection.Send("HTTP/1.1 200 Connected\r\nX-Proxy: 1\r\n\r\n");
    inside(connection);
  });
  environment_.Set("https_proxy", "http://127.0.0.1:" + std::to_string(proxy.port()));
  environment_.Set("no_proxy", std::nullopt);

  auto const response = Ask("https://tus.example/files/SECRET", {.ca_file = Path("ca.pem")});

  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 204);
  EXPECT_EQ(response->Find("X-Proxy"), std::nullopt);
  EXPECT_THAT(connect,
              AllOf(StartsWith("CONNECT tus.example:443 HTTP/1.1\r\n"), Not(HasSubstr("SECRET"))));
  EXPECT_THAT(head, StartsWith("POST /files/SECRET HTTP/1.1\r\n"));
}

TEST_F(CurlOptions, ProxyThatRefusesTheTunnelIsAnOutageOrAMatterOfCredentials) {
  std::string status;
  RawServer proxy([&](RawConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n");
    connection.WaitForClose();
  });
  environment_.Set("https_proxy", "http://me:secret@127.0.0.1:" + std::to_string(proxy.port()));
  environment_.Set("no_proxy", std::nullopt);
  status = "502 Bad Gateway";
  ExpectError(Ask("https://tus.example/files/SECRET"), ErrorCode::kUnreachable,
              AllOf(HasSubstr("502"), Not(HasSubstr("SECRET")), Not(HasSubstr("secret"))));
  status = "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"";
  auto const refused = Ask("https://tus.example/files/SECRET");
  ExpectError(refused, ErrorCode::kUnauthorized, HasSubstr("proxy"));
  EXPECT_EQ(refused.error().http_status, 407);
}

TEST_F(CurlOptions, NetrcFileHasUserAndPasswordOfItsHostsOnly) {
  std::string head;
  RawServer server(Answering(head));
  WriteFile(directory_ / "mine", "machine 127.0.0.1 login me password secret\n");
  WriteFile(directory_ / "other", "machine tus.example login me password secret\n");
  ASSERT_EQ(chmod(Path("mine").c_str(), 0644), 0);  // as curl does: not the transport's business

  ASSERT_TRUE(Ask(server.Url(), {}, Path("mine")));
  EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"));
  ASSERT_TRUE(Ask(server.Url(), {}, Path("other")));
  EXPECT_THAT(head, Not(HasSubstr("Authorization")));
}

TEST_F(CurlOptions, NetrcFileOfTheHomeDirectoryIsLeftAlone) {
  std::string head;
  RawServer server(Answering(head));
  WriteFile(directory_ / ".netrc", "machine 127.0.0.1 login me password secret\n");
  environment_.Set("HOME", directory_.path().string());
  ASSERT_TRUE(Ask(server.Url()));
  EXPECT_THAT(head, Not(HasSubstr("Authorization")));
}

TEST_F(CurlOptions, NetrcFileOfOneRequestIsNotTheNextOnes) {
  std::string head;
  RawServer server([&](RawConnection& connection) {
    for (auto next = connection.ReadHead(); !next.empty(); next = connection.ReadHead()) {
      head = next;
      connection.Send(kEmptyAnswer);
    }
  });
  WriteFile(directory_ / "mine", "machine 127.0.0.1 login me password secret\n");
  auto const transport = MakeCurlTransport({});
  HttpRequest request;
  request.method = "HEAD";
  request.url = server.Url();
  request.netrc_file = Path("mine");
  ASSERT_TRUE(transport->Perform(request));
  EXPECT_THAT(head, HasSubstr("Authorization: Basic"));
  request.netrc_file.clear();
  ASSERT_TRUE(transport->Perform(request));
  EXPECT_THAT(head, Not(HasSubstr("Authorization")));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(CurlOptions, NetrcFileThatIsMissingOrNonsenseIsAMatterOfCredentials) {
  std::string head;
  RawServer server(Answering(head));
  WriteFile(directory_ / "open", "machine 127.0.0.1 login \"me\n");
  ExpectError(Ask(server.Url(), {}, Path("missing")), ErrorCode::kUnauthorized,
              "the netrc file '" + Path("missing") + "' cannot be read: No such file or directory");
  ExpectError(Ask(server.Url(), {}, Path("open")), ErrorCode::kUnauthorized,
              "the netrc file '" + Path("open") + "' cannot be understood");
  EXPECT_EQ(head, "");
}

}  // namespace
}  // namespace tus
