// The seam between the tus protocol and HTTP: CurlTransport in production, a scripted one in tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tusclient/data_source.h"
#include "tusclient/error.h"

namespace tus {

struct Header {
  std::string name;
  std::string value;
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

  std::stop_token stop;  ///< cancels within 100 ms; afterwards `body` is not read any more
};

struct HttpResponse {
  int status = 0;
  std::vector<Header> headers;
  std::string body;  ///< at most 64 KiB are kept

  /// The value of the last header called `name`, compared without case.
  [[nodiscard]] std::optional<std::string_view> Find(std::string_view name) const;
};

/// One HTTP exchange at a time, blocking. An implementation belongs to one thread at a time.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  /// Sends `request` and returns the answer, whatever its status. Redirects are returned, not
  /// followed. Errors: kCancelled, kInvalidArgument, kSource, kUnreachable, kInterrupted.
  [[nodiscard]] virtual Result<HttpResponse> Perform(HttpRequest const& request) = 0;
};

struct CurlTransportOptions {
  std::chrono::seconds connect_timeout{15};
  /// An exchange in which less than one byte per second moves for this long is interrupted.
  std::chrono::seconds stall_timeout{60};
  std::string user_agent = "tusclient";
};

/// HTTP over libcurl, with connections kept alive between calls.
[[nodiscard]] std::unique_ptr<HttpTransport> MakeCurlTransport(CurlTransportOptions options);

}  // namespace tus
