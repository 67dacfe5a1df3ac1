// The seam between the tus protocol and HTTP: CurlTransport in production, a scripted one in tests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tusclient/bandwidth.h"
#include "tusclient/data_source.h"
#include "tusclient/error.h"

namespace tus {

struct Header {
  std::string name;
  std::string value;

  bool operator==(Header const&) const = default;
};

struct HttpResponse {
  int status = 0;
  std::vector<Header> headers;
  std::string body;  ///< at most 64 KiB are kept

  /// The value of the last header called `name`, compared without case.
  [[nodiscard]] std::optional<std::string_view> Find(std::string_view name) const;
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::vector<Header> headers;  ///< without Content-Length, which the transport adds

  /// The body is bytes [body_offset, body_offset + body_length) of `body`; null means no body.
  DataSource* body = nullptr;
  std::uint64_t body_offset = 0;
  std::uint64_t body_length = 0;

  /// Called from the performing thread as body bytes are handed to the network, with how many
  /// more were handed over. A rewound body is reported again: it is what went over the wire.
  std::function<void(std::uint64_t)> on_sent;

  /// Where the transport finds user and password for the request's host, netrc(5); empty: nowhere.
  std::string netrc_file{};

  /// Takes the body of a 2xx answer, which is then not kept in HttpResponse::body: called from the
  /// performing thread with the bytes as they arrive, and with the answer's status and headers. May
  /// block, and has to look at `stop` itself while it does; false ends the exchange (kCancelled).
  std::function<bool(HttpResponse const& head, std::span<std::byte const> bytes)> on_body{};

  std::stop_token stop;  ///< cancels within 100 ms; afterwards `body` is not read any more
};

/// One HTTP exchange at a time, blocking. An implementation belongs to one thread at a time.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  /// Sends `request` and returns the answer, whatever its status. Redirects are returned, not
  /// followed. Errors: kCancelled, kInvalidArgument, kSource, kUnreachable, kInterrupted.
  [[nodiscard]] virtual Result<HttpResponse> Perform(HttpRequest const& request) = 0;
};

/// TLS is verified, and is 1.2 or newer. Proxies are those of the environment (https_proxy,
/// http_proxy, all_proxy, no_proxy).
struct CurlTransportOptions {
  std::chrono::seconds connect_timeout{15};
  /// An exchange in which less than one byte per second moves for this long is interrupted. What a
  /// bandwidth limit holds back does not count.
  std::chrono::seconds stall_timeout{60};
  std::string user_agent = "tusclient";

  std::string ca_file{};      ///< PEM, instead of the system's authorities
  std::string client_cert{};  ///< PEM; needs client_key unless it contains the key
  std::string client_key{};   ///< PEM, not encrypted
  /// Interface, address or host name to send from, as curl --interface takes it; behind "if!" an
  /// interface alone.
  std::string interface {};
  enum class Ip { kAny, k4, k6 };
  Ip ip = Ip::kAny;
  /// HTTP/2 where TLS negotiates it. Bodies go faster over HTTP/1.1.
  bool http2 = false;
  BandwidthLimit* bandwidth = nullptr;  ///< shared; outlives the transport
};

/// HTTP over libcurl, with connections kept alive between calls. Files that cannot be used
/// (ca_file, client_cert) make every Perform fail with kUnreachable, naming the file.
[[nodiscard]] std::unique_ptr<HttpTransport> MakeCurlTransport(CurlTransportOptions options);

}  // namespace tus
