// CurlTransport over TLS: whom it believes, how it proves itself, what it says when it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <future>
#include <span>

#include "testing/files.h"
#include "tls_server.h"
#include "tusclient/transport.h"

namespace tus {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tusfs_testing::WriteFile;

class CurlTls : public testing::Test {
 protected:
  Authority authority_;
  tusfs_testing::TempDir directory_;
  std::atomic<int> heads_ = 0;

  void SetUp() override { WriteFile(directory_ / "ca.pem", authority_.certificate()); }

  std::string Path(std::string_view name) const { return (directory_ / name).string(); }

  RawServer::Script Answering(TlsOptions options) {
    return OverTls(std::move(options), [this](TlsConnection& connection) {
      while (!connection.ReadHead().empty()) {
        ++heads_;
        connection.Send(kEmptyAnswer);
      }
    });
  }

  /// With ca_file unless `options` has one.
  Result<HttpResponse> Ask(std::string const& url, CurlTransportOptions options = {}) {
    if (options.ca_file.empty()) options.ca_file = Path("ca.pem");
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    return MakeCurlTransport(std::move(options))->Perform(request);
  }

  static void ExpectUnreachable(Result<HttpResponse> const& response,
                                testing::Matcher<std::string> const& message) {
    ASSERT_FALSE(response) << response->status;
    EXPECT_EQ(Name(response.error().code), Name(ErrorCode::kUnreachable));
    EXPECT_THAT(response.error().message, AllOf(message, Not(HasSubstr("SECRET"))));
  }

  void ExpectRefused(TlsOptions options, testing::Matcher<std::string> const& message) {
    RawServer server(Answering(std::move(options)));
    ExpectUnreachable(Ask(server.Url("https")), AllOf(HasSubstr("TLS: "), message));
    EXPECT_EQ(heads_, 0);
  }
};

TEST_F(CurlTls, BelievesAServerOfTheAuthorityInTheFile) {
  for (auto const& [max, name] : {std::pair(TLS1_2_VERSION, "TLSv1.2"), {0, "TLSv1.3"}}) {
    std::string version;
    RawServer server(OverTls({.identity = authority_.Issue(), .max_version = max},
                             [&](TlsConnection& connection) {
                               version = connection.version();
                               connection.ReadHead();
                               connection.Send(kEmptyAnswer);
                               connection.ReadHead();
                             }));
    auto const response = Ask(server.Url("https"));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(version, name);
  }
}

TEST_F(CurlTls, RefusesAnAuthorityThatIsNotInTheFile) {
  Authority const another("Another authority");
  ExpectRefused({.identity = another.Issue()}, HasSubstr("certificate"));
  Authority const namesake;
  ExpectRefused({.identity = namesake.Issue()}, testing::_);
}

TEST_F(CurlTls, RefusesAnAuthorityThatTheSystemDoesNotKnow) {
  RawServer server(Answering({.identity = authority_.Issue()}));
  HttpRequest request;
  request.method = "POST";
  request.url = server.Url("https");
  ExpectUnreachable(MakeCurlTransport({})->Perform(request), HasSubstr("TLS: "));
  EXPECT_EQ(heads_, 0);
}

TEST_F(CurlTls, RefusesACertificateOfAnotherName) {
  ExpectRefused({.identity = authority_.Issue({.name = "IP:127.0.0.2"})}, HasSubstr("127.0.0.1"));
  ExpectRefused({.identity = authority_.Issue({.name = "DNS:example.org"})},
                HasSubstr("127.0.0.1"));
}

TEST_F(CurlTls, RefusesACertificateThatHasExpired) {
  ExpectRefused({.identity = authority_.Issue(
                     {.not_before = std::chrono::hours(-2), .not_after = std::chrono::hours(-1)})},
                HasSubstr("expired"));
}

TEST_F(CurlTls, RefusesACertificateThatIsNotYetValid) {
  ExpectRefused({.identity = authority_.Issue(
                     {.not_before = std::chrono::hours(1), .not_after = std::chrono::hours(2)})},
                HasSubstr("not yet valid"));
}

TEST_F(CurlTls, RefusesAServerThatKnowsNothingNewerThan1_1) {
  ExpectRefused({.identity = authority_.Issue(), .max_version = TLS1_1_VERSION},
                HasSubstr("version"));
}

TEST_F(CurlTls, RefusesAServerThatSpeaksPlainHttp) {
  RawServer server([](RawConnection& connection) {
    connection.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.WaitForClose();
  });
  ExpectUnreachable(Ask(server.Url("https")), HasSubstr("TLS: "));
}

TEST_F(CurlTls, RefusesAServerThatHangsUpInTheHandshake) {
  RawServer server([](RawConnection& connection) { connection.ReadBody(5); });
  ExpectUnreachable(Ask(server.Url("https")), HasSubstr("TLS: "));
}

TEST_F(CurlTls, GivesUpAHandshakeThatStalls) {
  RawServer server([](RawConnection& connection) { connection.WaitForClose(); });
  ExpectUnreachable(Ask(server.Url("https"), {.connect_timeout = std::chrono::seconds(1)}),
                    HasSubstr("no connection in time"));
}

TEST_F(CurlTls, ProvesItselfWithACertificateWhoseKeyIsInItsFileOrInAnother) {
  auto const client = authority_.Issue();
  WriteFile(directory_ / "both.pem", client.certificate + client.key);
  WriteFile(directory_ / "cert.pem", client.certificate);
  WriteFile(directory_ / "key.pem", client.key);
  RawServer server(
      Answering({.identity = authority_.Issue(), .client_authority = authority_.certificate()}));
  auto const both = Ask(server.Url("https"), {.client_cert = Path("both.pem")});
  EXPECT_TRUE(both) << both.error().message;
  auto const two =
      Ask(server.Url("https"), {.client_cert = Path("cert.pem"), .client_key = Path("key.pem")});
  EXPECT_TRUE(two) << two.error().message;
  EXPECT_EQ(heads_, 2);
}

TEST_F(CurlTls, IsUnreachableForAServerThatMissesOrRefusesTheCertificate) {
  for (auto const* const name : {"Another authority", "Authority of a test"}) {
    auto const stranger = Authority(name).Issue();
    WriteFile(directory_ / "stranger.pem", stranger.certificate + stranger.key);
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      RawServer server(Answering({.identity = authority_.Issue(),
                                  .max_version = version,
                                  .client_authority = authority_.certificate()}));
      auto const refused = AllOf(HasSubstr("TLS: "), HasSubstr("alert"));
      ExpectUnreachable(Ask(server.Url("https")), refused);
      ExpectUnreachable(Ask(server.Url("https"), {.client_cert = Path("stranger.pem")}), refused);
    }
  }
  EXPECT_EQ(heads_, 0);
}

TEST_F(CurlTls, NamesAFileThatCannotBeRead) {
  RawServer server(Answering({.identity = authority_.Issue()}));
  auto const missing = Path("missing.pem");
  auto const directory = directory_.path().string();
  WriteFile(directory_ / "cert.pem", authority_.Issue().certificate);
  struct Case {
    CurlTransportOptions options;
    std::string message;
  };
  for (auto const& [options, message] :
       {Case{{.ca_file = missing},
             "the CA file '" + missing + "' cannot be read: No such file or directory"},
        Case{{.ca_file = directory},
             "the CA file '" + directory + "' cannot be read: Is a directory"},
        Case{{.client_cert = missing},
             "the client certificate '" + missing + "' cannot be read: No such file or directory"},
        Case{{.client_cert = Path("cert.pem"), .client_key = missing},
             "the client key '" + missing + "' cannot be read: No such file or directory"}}) {
    ExpectUnreachable(Ask(server.Url("https"), options), testing::Eq(message));
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(CurlTls, NamesAFileThatCannotBeUsed) {
  auto const client = authority_.Issue();
  WriteFile(directory_ / "garbage.pem", "this is not PEM");
  WriteFile(directory_ / "cert.pem", client.certificate);
  WriteFile(directory_ / "another.pem", authority_.Issue().key);
  RawServer server(Answering({.identity = authority_.Issue()}));
  auto const url = server.Url("https");
  ExpectUnreachable(Ask(url, {.ca_file = Path("garbage.pem")}), HasSubstr(Path("garbage.pem")));
  ExpectUnreachable(Ask(url, {.client_cert = Path("garbage.pem")}), HasSubstr(Path("garbage.pem")));
  ExpectUnreachable(Ask(url, {.client_cert = Path("cert.pem"), .client_key = Path("garbage.pem")}),
                    HasSubstr(Path("garbage.pem")));
  ExpectUnreachable(Ask(url, {.client_cert = Path("cert.pem")}), HasSubstr(Path("cert.pem")));
  ExpectUnreachable(Ask(url, {.client_cert = Path("cert.pem"), .client_key = Path("another.pem")}),
                    HasSubstr(Path("another.pem")));
  EXPECT_EQ(heads_, 0);
}

TEST_F(CurlTls, DoesNotAskATerminalForThePassPhraseOfAKey) {
  auto const client = authority_.Issue();
  WriteFile(directory_ / "cert.pem", client.certificate);
  WriteFile(directory_ / "key.pem", Encrypted(client.key));
  RawServer server(Answering({.identity = authority_.Issue()}));
  ExpectUnreachable(
      Ask(server.Url("https"), {.client_cert = Path("cert.pem"), .client_key = Path("key.pem")}),
      HasSubstr(Path("key.pem")));
}

TEST_F(CurlTls, ReplacesAConnectionThatTheServerClosedInBetween) {
  std::promise<void> closed;
  std::string body;
  RawServer server(OverTls({.identity = authority_.Issue()}, [&](TlsConnection& connection) {
    connection.ReadHead();
    if (connection.number() > 1) body = connection.ReadBody(5);
    connection.Send(kEmptyAnswer);
    if (connection.number() > 1) {
      connection.ReadHead();
    } else {
      connection.Close();
      closed.set_value();
    }
  }));
  std::string const bytes = "hello";
  MemorySource source(std::as_bytes(std::span(bytes)));
  auto const transport = MakeCurlTransport({.ca_file = Path("ca.pem")});
  HttpRequest request;
  request.method = "HEAD";
  request.url = server.Url("https");
  ASSERT_TRUE(transport->Perform(request));
  ASSERT_EQ(closed.get_future().wait_for(kDeadline), std::future_status::ready);
  request.method = "PATCH";
  request.body = &source;
  request.body_length = bytes.size();

  auto const response = transport->Perform(request);

  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(body, bytes);
  EXPECT_EQ(server.connections(), 2);
}

}  // namespace
}  // namespace tus
